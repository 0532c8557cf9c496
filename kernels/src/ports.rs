//! How fast this CPU does the single operations of which the backends are made.
//!
//! Each probe is a loop of independent instructions of one kind: twelve of them, since
//! with eight Zen 4 does an eighth less. Its rate, with
//! the number of such operations in a hash (`operations.rs`), bounds what any
//! scan made of them can reach.

use core::arch::asm;

/// A loop over one kind of instruction.
#[derive(Debug)]
pub struct Probe {
    name: &'static str,
    operations: u64,
    detected: fn() -> bool,
    run: unsafe fn(u64),
}

impl Probe {
    /// What it runs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Goes round so many times, and returns how many operations that were.
    pub fn run(&self, times: u64) -> u64 {
        // SAFETY: `self` came out of the table through `probes`, so this CPU has
        // the instructions.
        unsafe { (self.run)(times) };
        times * self.operations
    }
}

/// A function that runs instructions in a loop, on registers that it may spoil.
macro_rules! probe {
    ($run:ident, $feature:literal, $($instruction:literal)*) => {
        #[target_feature(enable = $feature)]
        fn $run(times: u64) {
            // SAFETY: the instructions touch only registers named below, no memory.
            unsafe {
                asm!(
                    "2:", $($instruction,)* "dec {times}", "jnz 2b",
                    times = inout(reg) times.max(1) => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                    out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    options(nomem, nostack)
                );
            }
        }
    };
}

probe!(add_512, "avx512f",
    "vpaddd zmm0, zmm0, zmm0" "vpaddd zmm1, zmm1, zmm1" "vpaddd zmm2, zmm2, zmm2" "vpaddd zmm3, zmm3, zmm3"
    "vpaddd zmm4, zmm4, zmm4" "vpaddd zmm5, zmm5, zmm5" "vpaddd zmm6, zmm6, zmm6" "vpaddd zmm7, zmm7, zmm7"
    "vpaddd zmm8, zmm8, zmm8" "vpaddd zmm9, zmm9, zmm9" "vpaddd zmm10, zmm10, zmm10"
    "vpaddd zmm11, zmm11, zmm11");
probe!(rotate_512, "avx512f",
    "vprord zmm0, zmm0, 6" "vprord zmm1, zmm1, 6" "vprord zmm2, zmm2, 6" "vprord zmm3, zmm3, 6"
    "vprord zmm4, zmm4, 6" "vprord zmm5, zmm5, 6" "vprord zmm6, zmm6, 6" "vprord zmm7, zmm7, 6"
    "vprord zmm8, zmm8, 6" "vprord zmm9, zmm9, 6" "vprord zmm10, zmm10, 6" "vprord zmm11, zmm11, 6");
probe!(logic_512, "avx512f",
    "vpternlogd zmm0, zmm0, zmm0, 0x96" "vpternlogd zmm1, zmm1, zmm1, 0x96"
    "vpternlogd zmm2, zmm2, zmm2, 0x96" "vpternlogd zmm3, zmm3, zmm3, 0x96"
    "vpternlogd zmm4, zmm4, zmm4, 0x96" "vpternlogd zmm5, zmm5, zmm5, 0x96"
    "vpternlogd zmm6, zmm6, zmm6, 0x96" "vpternlogd zmm7, zmm7, zmm7, 0x96"
    "vpternlogd zmm8, zmm8, zmm8, 0x96" "vpternlogd zmm9, zmm9, zmm9, 0x96"
    "vpternlogd zmm10, zmm10, zmm10, 0x96" "vpternlogd zmm11, zmm11, zmm11, 0x96");
// In the proportion of a hash: 37 % adds, 41 % rotates, 22 % logic.
probe!(mixed_512, "avx512f",
    "vpaddd zmm0, zmm0, zmm0" "vprord zmm1, zmm1, 6" "vpternlogd zmm2, zmm2, zmm2, 0x96" "vprord zmm3, zmm3, 6"
    "vpaddd zmm4, zmm4, zmm4" "vprord zmm5, zmm5, 6" "vpaddd zmm6, zmm6, zmm6" "vprord zmm7, zmm7, 6"
    "vpternlogd zmm8, zmm8, zmm8, 0x96" "vprord zmm9, zmm9, 6" "vpaddd zmm10, zmm10, zmm10" "vpaddd zmm11, zmm11, zmm11");
probe!(add_256, "avx2",
    "vpaddd ymm0, ymm0, ymm0" "vpaddd ymm1, ymm1, ymm1" "vpaddd ymm2, ymm2, ymm2" "vpaddd ymm3, ymm3, ymm3"
    "vpaddd ymm4, ymm4, ymm4" "vpaddd ymm5, ymm5, ymm5" "vpaddd ymm6, ymm6, ymm6" "vpaddd ymm7, ymm7, ymm7"
    "vpaddd ymm8, ymm8, ymm8" "vpaddd ymm9, ymm9, ymm9" "vpaddd ymm10, ymm10, ymm10"
    "vpaddd ymm11, ymm11, ymm11");
probe!(shift_256, "avx2",
    "vpsrld ymm0, ymm0, 6" "vpsrld ymm1, ymm1, 6" "vpsrld ymm2, ymm2, 6" "vpsrld ymm3, ymm3, 6"
    "vpsrld ymm4, ymm4, 6" "vpsrld ymm5, ymm5, 6" "vpsrld ymm6, ymm6, 6" "vpsrld ymm7, ymm7, 6"
    "vpsrld ymm8, ymm8, 6" "vpsrld ymm9, ymm9, 6" "vpsrld ymm10, ymm10, 6" "vpsrld ymm11, ymm11, 6");
probe!(sha_rounds, "sha",
    "sha256rnds2 xmm1, xmm9, xmm0" "sha256rnds2 xmm2, xmm9, xmm0" "sha256rnds2 xmm3, xmm9, xmm0"
    "sha256rnds2 xmm4, xmm9, xmm0" "sha256rnds2 xmm5, xmm9, xmm0" "sha256rnds2 xmm6, xmm9, xmm0"
    "sha256rnds2 xmm7, xmm9, xmm0" "sha256rnds2 xmm8, xmm9, xmm0");

fn avx512() -> bool {
    is_x86_feature_detected!("avx512f")
}

fn avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

fn sha() -> bool {
    is_x86_feature_detected!("sha")
}

pub(crate) static ADD_512: Probe =
    Probe { name: "vpaddd zmm", operations: 12, detected: avx512, run: add_512 };
pub(crate) static ROTATE_512: Probe =
    Probe { name: "vprord zmm", operations: 12, detected: avx512, run: rotate_512 };
static LOGIC_512: Probe = Probe { name: "vpternlogd zmm", operations: 12, detected: avx512, run: logic_512 };
static MIXED_512: Probe = Probe { name: "all three zmm", operations: 12, detected: avx512, run: mixed_512 };
pub(crate) static ADD_256: Probe = Probe { name: "vpaddd ymm", operations: 12, detected: avx2, run: add_256 };
pub(crate) static SHIFT_256: Probe =
    Probe { name: "vpsrld ymm", operations: 12, detected: avx2, run: shift_256 };
pub(crate) static SHA_ROUNDS: Probe =
    Probe { name: "sha256rnds2", operations: 8, detected: sha, run: sha_rounds };

/// The loops that this CPU can run.
pub fn probes() -> impl Iterator<Item = &'static Probe> {
    [&ADD_512, &ROTATE_512, &LOGIC_512, &MIXED_512, &ADD_256, &SHIFT_256, &SHA_ROUNDS]
        .into_iter()
        .filter(|probe| (probe.detected)())
}
