//! Adapters: one file per kind of gateway.
