//! Stores: the outbox (redb, memory) and reachability (sled).
