//! Trees and proofs, against vectors made elsewhere and against the definitions of RFC 6962, word by word.

use super::*;

/// RFC 6962, 2.1, as it is written: no frontier, no loops.
fn mth(d: &[Hash]) -> Hash {
    match d.len() {
        0 => Hash::of(&[]),
        1 => d[0],
        n => {
            let k = largest_power_below(n);
            Hash::of(&[&[1], mth(&d[..k]).as_bytes(), mth(&d[k..]).as_bytes()])
        }
    }
}

fn largest_power_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// RFC 6962, 2.1.1.
fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = largest_power_below(d.len());
    let (mut steps, last) = if m < k {
        (path(m, &d[..k]), mth(&d[k..]))
    } else {
        (path(m - k, &d[k..]), mth(&d[..k]))
    };
    steps.push(last);
    steps
}

/// RFC 6962, 2.1.2.
fn subproof(m: usize, d: &[Hash], is_whole: bool) -> Vec<Hash> {
    if m == d.len() {
        return if is_whole { Vec::new() } else { vec![mth(d)] };
    }
    let k = largest_power_below(d.len());
    let (mut steps, last) = if m <= k {
        (subproof(m, &d[..k], is_whole), mth(&d[k..]))
    } else {
        (subproof(m - k, &d[k..], false), mth(&d[..k]))
    };
    steps.push(last);
    steps
}

fn leaves(count: u8) -> Vec<Hash> {
    (0..count).map(|byte| Hash::of_leaf(&[byte])).collect()
}

/// The leaves that implementations of Certificate Transparency are tested with.
fn known() -> Vec<Hash> {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    leaves.map(Hash::of_leaf).to_vec()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves = known();
    for (size, root) in [
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            1,
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            2,
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            3,
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            7,
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            8,
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ] {
        assert_eq!(merkle_root(&leaves[..size]).to_string(), root);
        assert_eq!(mth(&leaves[..size]).to_string(), root);
    }
}

#[test]
fn another_implementation_finds_the_same_root() {
    let leaves: Vec<Hash> = LEAVES.map(|leaf| Hash::parse(leaf).unwrap()).into();
    let root = "80f899cf6c6eed19f968c22dee7eca03622f054b00517ca88f055a0390fc77c0";
    assert_eq!(merkle_root(&leaves).to_string(), root);
}

#[test]
fn every_leaf_of_every_tree_is_proven_by_the_path_of_the_definition() {
    let all = leaves(33);
    for size in 1..=all.len() {
        let (tree, root) = (&all[..size], mth(&all[..size]));
        for index in 0..size {
            let proof = inclusion_proof(tree, index).unwrap();
            assert_eq!(proof, path(index, tree));
            let holds = |leaf: Hash, index: usize, size: usize, proof: &[Hash]| {
                is_included(leaf, index as u64, size as u64, proof, &root)
            };
            assert!(holds(tree[index], index, size, &proof));
            assert!(!holds(Hash::ZERO, index, size, &proof));
            assert!(!holds(tree[index], index + 1, size, &proof));
            assert!(!holds(
                tree[index],
                index,
                size,
                &[&proof[..], &[root]].concat()
            ));
            if !proof.is_empty() {
                assert!(!holds(tree[index], index, size, &proof[1..]));
                let mut bent = proof.clone();
                bent[0] = Hash::ZERO;
                assert!(!holds(tree[index], index, size, &bent));
            }
        }
        assert_eq!(inclusion_proof(tree, size), None);
        assert!(!is_included(root, 0, 0, &[], &root));
    }
}

#[test]
fn every_tree_is_shown_to_begin_every_larger_one() {
    let all = leaves(33);
    for new in 0..=all.len() {
        for old in 0..=new {
            let proof = consistency_proof(&all[..new], old).unwrap();
            let (of_old, of_new) = (mth(&all[..old]), mth(&all[..new]));
            let holds = |of_old: &Hash, of_new: &Hash, proof: &[Hash]| {
                is_consistent((old as u64, of_old), (new as u64, of_new), proof)
            };
            assert!(holds(&of_old, &of_new, &proof), "{old} {new}");
            if old > 0 {
                assert_eq!(proof, subproof(old, &all[..new], true));
                assert!(!holds(&Hash::ZERO, &of_new, &proof));
                assert!(!holds(&of_old, &Hash::ZERO, &proof));
            }
            assert!(!holds(&of_old, &of_new, &[&proof[..], &[of_new]].concat()));
            if !proof.is_empty() {
                assert!(!holds(&of_old, &of_new, &proof[1..]));
            }
        }
        assert_eq!(consistency_proof(&all[..new], new + 1), None);
    }
    let root = mth(&all);
    assert!(!is_consistent((33, &root), (32, &root), &[]));
}

#[test]
fn a_tree_goes_on_from_its_frontier() {
    let all = leaves(33);
    let mut tree = Frontier::default();
    for (size, leaf) in all.iter().enumerate() {
        assert_eq!(tree.root(), mth(&all[..size]));
        tree = Frontier::new(size as u64, tree.peaks().to_vec()).unwrap();
        tree.push(*leaf);
    }
    assert_eq!(tree.size(), 33);
    assert_eq!(
        Frontier::new(32, tree.peaks().to_vec()),
        Err(InvalidFrontier)
    );
}
