//! The HTTP interface: what programs and people may ask of the service.

pub mod ring;
pub mod service;
