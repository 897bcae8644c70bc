//! The two traces of the same run: the same steps, and in each step the same
//! changing calls.
