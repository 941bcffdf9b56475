//! Random ids in the form AWS gives them.

use crate::calendar::system_ms;

/// A random UUID, version 4.
pub(crate) fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    // Ids only have to differ; without entropy they would be equal, which SQS itself would survive too.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = system_ms()
            .to_be_bytes()
            .repeat(2)
            .try_into()
            .unwrap_or_default();
    }
    let bits = u128::from_be_bytes(bytes);
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
