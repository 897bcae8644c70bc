//! The programs other than the shell, one file each (or a few of one kind).

pub mod cat;
pub mod echo;
pub mod kill;
pub mod ls;
pub mod printf;
pub mod pwd;
pub mod test;
