//! `wasl.toml`: server, stores, gateways, operators.
