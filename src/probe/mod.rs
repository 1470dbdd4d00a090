//! Probes: one file per kind.
