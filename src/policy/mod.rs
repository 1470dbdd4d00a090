//! Policies: text to a checked policy, with diagnostics.
