//! Registries: Debian's `docker-registry` as the real one, and a server that
//! answers what no honest registry does.

mod bars;
mod fake;
mod foreign;
mod hostile;
pub mod images;
mod kept;
mod killed;
mod login;
mod real;
mod round_trip;
mod sent;
mod tls;
mod token;
mod told;
