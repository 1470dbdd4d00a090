//! The pure core: decides, does no I/O.
