//! The tree over the leaves (RFC 6962, 2.1; RFC 9162, 2.1): roots, a frontier, and proofs.
//!
//! Owns the arithmetic and nothing of what a leaf is. The frontier is all one needs to go on with a tree:
//! the roots of its full subtrees, one for each bit of its size, the largest first.

use super::hash::Hash;

/// The end of a tree, from which it can grow and which gives its root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// A tree of a size has one peak for each bit of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a tree has one peak for each bit of its size")]
pub struct InvalidFrontier;

impl Frontier {
    /// Of a tree with nothing in it.
    pub const EMPTY: Self = Self {
        size: 0,
        peaks: Vec::new(),
    };

    /// The frontier of a size with these peaks, the largest first.
    ///
    /// # Errors
    /// [`InvalidFrontier`] when the peaks are too many or too few.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Result<Self, InvalidFrontier> {
        let wanted = usize::try_from(size.count_ones()).map_err(|_bits| InvalidFrontier)?;
        if peaks.len() == wanted {
            Ok(Self { size, peaks })
        } else {
            Err(InvalidFrontier)
        }
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its full subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Puts a leaf at the end.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // A full subtree to the left for each one bit at the end of the size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = Hash::of_node(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Hash::of(&[]);
        };
        peaks.fold(*last, |right, left| Hash::of_node(left, &right))
    }
}

/// The root of the tree over some leaves.
pub fn merkle_root(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

/// The left part of a tree: the largest power of two below the number of leaves.
const fn middle(leaves: usize) -> usize {
    leaves.next_power_of_two() >> 1
}

/// The hashes that lead from a leaf to the root (RFC 6962, 2.1.1); `None` when there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut part, mut index, mut path) = (leaves, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at_checked(middle(part.len()))?;
        if let Some(within) = index.checked_sub(left.len()) {
            path.push(merkle_root(left));
            (part, index) = (right, within);
        } else {
            path.push(merkle_root(right));
            part = left;
        }
    }
    path.reverse();
    Some(path)
}

/// The hashes that show that the tree over the first `size` leaves is the beginning of the tree over all
/// (RFC 6962, 2.1.2); `None` when there are not so many leaves. Nothing needs showing of size 0 or all.
pub fn consistency_proof(leaves: &[Hash], size: usize) -> Option<Vec<Hash>> {
    if size > leaves.len() {
        return None;
    }
    if size == 0 || size == leaves.len() {
        return Some(Vec::new());
    }
    let (mut part, mut size, mut path) = (leaves, size, Vec::new());
    // Whether the older tree is still the left edge of the newer: its root is known to who checks.
    let mut is_whole = true;
    while size < part.len() {
        let (left, right) = part.split_at_checked(middle(part.len()))?;
        if let Some(within) = size.checked_sub(left.len()).filter(|within| *within > 0) {
            path.push(merkle_root(left));
            (part, size, is_whole) = (right, within, false);
        } else {
            path.push(merkle_root(right));
            part = left;
        }
    }
    if !is_whole {
        path.push(merkle_root(part));
    }
    path.reverse();
    Some(path)
}

/// Whether a path leads from a leaf to a root (RFC 9162, 2.1.3.2).
pub fn is_included(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return false;
    };
    let (mut index, mut node) = (index, leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            node = Hash::of_node(step, &node);
            // Levels on which the node has nothing to its right.
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            node = Hash::of_node(&node, step);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// Whether a path shows that one tree is the beginning of another (RFC 9162, 2.1.4.2).
pub fn is_consistent(
    (old_size, old_root): (u64, &Hash),
    (new_size, new_root): (u64, &Hash),
    path: &[Hash],
) -> bool {
    if old_size == 0 {
        return path.is_empty() && *old_root == Hash::of(&[]);
    }
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    let (Some(mut old), Some(mut new)) = (old_size.checked_sub(1), new_size.checked_sub(1)) else {
        return false;
    };
    if old > new {
        return false;
    }
    // A full older tree is a node of the newer one, and is not sent again.
    let mut steps = path.iter();
    let first = if old_size.is_power_of_two() {
        Some(old_root)
    } else {
        steps.next()
    };
    let Some(first) = first else {
        return false;
    };
    while old & 1 == 1 {
        old >>= 1;
        new >>= 1;
    }
    let (mut of_old, mut of_new) = (*first, *first);
    for step in steps {
        if new == 0 {
            return false;
        }
        if old & 1 == 1 || old == new {
            of_old = Hash::of_node(step, &of_old);
            of_new = Hash::of_node(step, &of_new);
            while old & 1 == 0 && old != 0 {
                old >>= 1;
                new >>= 1;
            }
        } else {
            of_new = Hash::of_node(&of_new, step);
        }
        old >>= 1;
        new >>= 1;
    }
    new == 0 && of_old == *old_root && of_new == *new_root
}
