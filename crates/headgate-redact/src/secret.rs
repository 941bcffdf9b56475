//! Key material and tokens.
//!
//! Owns the wrapper that wipes them from memory. It promises no constant-time comparison, and so
//! has no comparison at all: code that compares secrets says with what.

use core::fmt;

use zeroize::Zeroize;

/// A value whose disclosure is an incident: zeroized on drop, never printed, never copied.
///
/// ```compile_fail
/// let key = headgate_redact::Secret::new([0_u8; 32]);
/// let copy = key.clone();
/// ```
///
/// ```compile_fail
/// let token = headgate_redact::Secret::new(String::from("not a real token"));
/// println!("{token}");
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret; the caller's copy, if it has one, is the caller's to wipe.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret in clear.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> zeroize::ZeroizeOnDrop for Secret<T> {}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use zeroize::Zeroize;

    use super::Secret;

    struct Watched(Rc<Cell<bool>>);

    impl Zeroize for Watched {
        fn zeroize(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn it_is_wiped_when_it_goes_out_of_scope() {
        let wiped = Rc::new(Cell::new(false));
        drop(Secret::new(Watched(Rc::clone(&wiped))));
        assert!(wiped.get());
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new(String::from("not a real token"));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "not a real token");
    }
}
