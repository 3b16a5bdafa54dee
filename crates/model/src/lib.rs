//! The words that carry Aedile.
