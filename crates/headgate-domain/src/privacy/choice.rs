//! What can be chosen on the page for requests.

use crate::profiles::Right;

/// What a code of the page stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// To exercise a right.
    Right(Right),
    /// That the restriction which is in force ends.
    Lift,
}

impl Choice {
    /// What is offered, in the order of the page.
    pub const OFFERED: [Self; 6] = [
        Self::Right(Right::Access),
        Self::Right(Right::Rectification),
        Self::Right(Right::Objection),
        Self::Right(Right::Restriction),
        Self::Lift,
        Self::Right(Right::Erasure),
    ];

    /// The word of the form, which is stored, too.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Right(right) => right.word(),
            Self::Lift => "lift",
        }
    }

    /// The offered choice behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::OFFERED.into_iter().find(|one| one.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_for_one_choice_and_what_is_not_offered_for_none() {
        for choice in Choice::OFFERED {
            assert_eq!(Choice::from_word(choice.word()), Some(choice));
        }
        for word in ["", "portability", "do_not_sell", "Access", "lift "] {
            assert_eq!(Choice::from_word(word), None, "{word}");
        }
    }
}
