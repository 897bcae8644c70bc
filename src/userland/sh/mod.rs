//! `sh`: the command language of POSIX.1-2024 XCU 2. Text goes through
//! [`parse`] (with [`word`]) to an [`ast`], is expanded ([`expand`]) and run ([`exec`]).

mod arith;
mod ast;
mod builtin;
mod compound;
mod exec;
mod expand;
mod parse;
pub mod pattern;
mod program;
mod redirect;
mod session;
mod simple;
mod state;
mod word;

pub use session::main;
