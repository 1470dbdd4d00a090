//! The runtime: joins the pieces; nothing else may.
