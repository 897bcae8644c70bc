//! Networks as arithmetic: subnets and which address is free, names of links,
//! MAC addresses, and which published ports collide. No input or output; the
//! kernels do what this room works out.

pub mod names;
pub mod ports;
pub mod subnet;

pub use subnet::Subnet;
