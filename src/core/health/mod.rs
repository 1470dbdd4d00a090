//! Health from additive odds: every observation moves a needle by what it is worth, in decibans.
//!
//! Each failed check adds 20, each good one takes 13 away. At 20 we look harder and turn away, at 60 we declare it.
//! One needle a fault type, since a green probe says nothing about refused sends. Our own line is judged first:
//! while it is down, what is seen of gateways that need it counts for nothing.

pub(crate) mod cell;
pub(crate) mod needle;
pub(crate) mod uplink;
pub(crate) mod worth;
