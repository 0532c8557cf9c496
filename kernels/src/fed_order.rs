//! In what order `fed.rs` writes its steps: turns of the SHA extensions among vector operations.
//!
//! `p0` to `p7` are two rounds of the first hash of header 0 to 7, from the round
//! given on, `q0` to `q7` of the second; `m1` to `m5` the parts of the message word
//! given, of the second hash in lists that end in 1 and with versions, else of the first.
//!
//! Parts are spread evenly over the turns: whole words between four turns at a
//! time were slower (48.1 against 48.8 MH/s, versions 50.7 against 53.4).
//!
//! `wide` has eight headers in turns, for 32 registers; `narrow` four, then the
//! other four. With versions the words of the first hash are known, so those of
//! the second are spread over both halves, each well ahead of the round that it is for.

/// Operations of vectors in a pass: for the words with their constants, and to take over and place
/// them. A test counts them.
pub(crate) const WIDE: [u32; 2] = [949, 124];
pub(crate) const WIDE_VERSIONS: [u32; 2] = [489, 78];
pub(crate) const NARROW: [u32; 2] = [1729, 124];
pub(crate) const NARROW_VERSIONS: [u32; 2] = [889, 78];

macro_rules! wide_1 {
    () => {
        steps! {
            gather 0 enter_first 0 enter_first 4 p0 4 p1 4 p2 4 p3 4 p4 4 gather 4 p5 4 p6 4 p7 4 p0 6 p1 6
            p2 6 p3 6 p4 6 spread 0 p5 6 p6 6 spread 2 p7 6 spread 4 p0 8 p1 8 spread 6 p2 8 p3 8 m1 16
            m2 16 p4 8 m3 16 p5 8 m4 16 m5 16 m1 17 p6 8 m2 17 p7 8 m3 17 m4 17 p0 10 m5 17 p1 10 m1 18
            p2 10 m2 18 p3 10 m3 18 p4 10 m4 18 p5 10 m5 18 p6 10 m1 19 m2 19 p7 10 m3 19 p0 12 m4 19 p1 12
            p2 12 m5 19 p3 12 m1 20 p4 12 m2 20 p5 12 m3 20 p6 12 m4 20 p7 12 m5 20 p0 14 m1 21 m2 21 p1 14
            m3 21 p2 14 m4 21 p3 14 p4 14 m5 21 p5 14 m1 22 p6 14 m2 22 p7 14 m3 22 p0 16 m4 22 p1 16 p2 16
            m5 22 m2 23 m3 23 p3 16 m4 23 p4 16 p5 16 m5 23 p6 16 p7 16 m2 24 m3 24 m4 24 p0 18 p1 18 m5 24
            p2 18 m2 25 m3 25 p3 18 m4 25 p4 18 m5 25 p5 18 p6 18 m2 26 m3 26 m4 26 p7 18 p0 20 m5 26 p1 20
            m2 27 m3 27 m4 27 p2 20 p3 20 m5 27 p4 20 m2 28 m3 28 p5 20 m4 28 p6 20 p7 20 m5 28 m2 29 m3 29
            p0 22 m4 29 p1 22 p2 22 m5 29 p3 22 m2 30 m3 30 p4 22 m4 30 p5 22 p6 22 m5 30 m1 31 p7 22 m2 31
            p0 24 m3 31 p1 24 m4 31 p2 24 p3 24 m5 31 p4 24 m1 32 p5 24 m2 32 p6 24 m3 32 p7 24 m4 32 p0 26
            p1 26 m5 32 m1 33 p2 26 m2 33 p3 26 m3 33 p4 26 m4 33 p5 26 p6 26 m5 33 p7 26 m1 34 p0 28 m2 34
            p1 28 m3 34 p2 28 m4 34 p3 28 p4 28 m5 34 m1 35 p5 28 m2 35 p6 28 m3 35 p7 28 m4 35 p0 30 p1 30
            m5 35 p2 30 m1 36 p3 30 m2 36 p4 30 m3 36 p5 30 m4 36 p6 30 m5 36 p7 30 m1 37 p0 32 m2 37 p1 32
            m3 37 p2 32 m4 37 p3 32 m5 37 p4 32 p5 32 m1 38 p6 32 m2 38 m3 38 p7 32 p0 34 m4 38 p1 34 m5 38
            p2 34 m1 39 p3 34 m2 39 m3 39 p4 34 p5 34 m4 39 p6 34 m5 39 p7 34 p0 36 m1 40 m2 40 p1 36 m3 40
            p2 36 m4 40 p3 36 p4 36 m5 40 p5 36 m1 41 m2 41 p6 36 m3 41 p7 36 m4 41 p0 38 p1 38 m5 41 p2 38
            m1 42 p3 38 m2 42 p4 38 m3 42 p5 38 m4 42 p6 38 p7 38 m5 42 m1 43 p0 40 m2 43 p1 40 m3 43 p2 40
            m4 43 p3 40 p4 40 m5 43 p5 40 m1 44 p6 40 m2 44 p7 40 m3 44 p0 42 m4 44 p1 42 p2 42 m5 44 m1 45
            p3 42 m2 45 p4 42 m3 45 p5 42 m4 45 p6 42 p7 42 m5 45 p0 44 m1 46 p1 44 m2 46 p2 44 m3 46 p3 44
            m4 46 p4 44 p5 44 m5 46 m1 47 p6 44 m2 47 p7 44 m3 47 p0 46 m4 47 p1 46 p2 46 m5 47 p3 46 m1 48
            p4 46 m2 48 p5 46 m3 48 p6 46 m4 48 p7 46 p0 48 m5 48 m1 49 p1 48 m2 49 p2 48 m3 49 p3 48 m4 49
            p4 48 p5 48 m5 49 p6 48 m1 50 p7 48 m2 50 m3 50 p0 50 p1 50 m4 50 p2 50 m5 50 p3 50 m1 51 p4 50
            m2 51 m3 51 p5 50 p6 50 m4 51 p7 50 m5 51 p0 52 p1 52 m1 52 m2 52 p2 52 m3 52 p3 52 p4 52 m4 52
            p5 52 m5 52 p6 52 m1 53 m2 53 p7 52 m3 53 p0 54 p1 54 m4 53 p2 54 m5 53 p3 54 m1 54 p4 54 m2 54
            p5 54 m3 54 p6 54 m4 54 p7 54 p0 56 m5 54 m1 55 p1 56 m2 55 p2 56 m3 55 p3 56 m4 55 p4 56 p5 56
            m5 55 p6 56 m1 56 p7 56 m2 56 p0 58 m3 56 p1 58 m4 56 p2 58 p3 58 m5 56 m1 57 p4 58 m2 57 p5 58
            m3 57 p6 58 m4 57 p7 58 p0 60 m5 57 p1 60 m1 58 p2 60 m2 58 p3 60 m3 58 p4 60 m4 58 p5 60 p6 60
            m5 58 m1 59 p7 60 m2 59 p0 62 m3 59 p1 62 m4 59 p2 62 p3 62 m5 59 p4 62 m1 60 p5 62 m2 60 p6 62
            m3 60 p7 62 m4 60 leave_first 0 leave_first 4 m5 60
        }
    };
}

macro_rules! wide_2 {
    () => {
        steps! {
            begin 0 enter_second 0 enter_second 4 m1 18 q0 0 m2 18 q1 0 m4 18 m5 18 q2 0 m2 19 m3 19 m4 19
            q3 0 m5 19 q4 0 m2 20 m3 20 q5 0 m4 20 q6 0 q7 0 m5 20 q0 2 m2 21 m3 21 q1 2 m4 21 q2 2 m5 21
            q3 2 m2 22 m3 22 q4 2 m4 22 q5 2 q6 2 m5 22 q7 2 m2 23 m3 23 q0 4 m4 23 q1 4 q2 4 m5 23 q3 4
            m2 24 m3 24 q4 4 m4 24 q5 4 q6 4 m5 24 q7 4 m2 25 m3 25 m4 25 q0 6 q1 6 m5 25 q2 6 q3 6 m2 26
            m3 26 q4 6 m4 26 q5 6 q6 6 m5 26 m2 27 m3 27 q7 6 m4 27 q0 8 q1 8 m5 27 q2 8 q3 8 m2 28 m3 28
            q4 8 m4 28 q5 8 m5 28 q6 8 m2 29 m3 29 q7 8 m4 29 q0 10 q1 10 m5 29 q2 10 m2 30 m3 30 q3 10
            m4 30 q4 10 q5 10 q6 10 m5 30 m2 31 m3 31 q7 10 m4 31 q0 12 q1 12 m5 31 q2 12 q3 12 m2 32 m3 32
            q4 12 m4 32 q5 12 q6 12 m5 32 q7 12 m1 33 q0 14 m2 33 q1 14 m3 33 q2 14 m4 33 q3 14 q4 14 m5 33
            q5 14 m1 34 q6 14 m2 34 q7 14 m3 34 q0 16 q1 16 m4 34 q2 16 q3 16 m5 34 m1 35 q4 16 m2 35 q5 16
            m3 35 q6 16 q7 16 m4 35 q0 18 q1 18 m5 35 q2 18 m1 36 q3 18 m2 36 q4 18 m3 36 q5 18 m4 36 q6 18
            q7 18 m5 36 q0 20 m1 37 q1 20 m2 37 q2 20 m3 37 q3 20 m4 37 q4 20 q5 20 m5 37 q6 20 m1 38 q7 20
            m2 38 q0 22 m3 38 q1 22 q2 22 m4 38 q3 22 q4 22 m5 38 m1 39 q5 22 m2 39 q6 22 m3 39 q7 22 q0 24
            m4 39 q1 24 q2 24 m5 39 q3 24 m1 40 q4 24 m2 40 q5 24 m3 40 q6 24 m4 40 q7 24 q0 26 m5 40 q1 26
            m1 41 q2 26 m2 41 q3 26 m3 41 q4 26 m4 41 q5 26 q6 26 m5 41 q7 26 m1 42 q0 28 m2 42 q1 28 m3 42
            q2 28 q3 28 m4 42 q4 28 q5 28 m5 42 m1 43 q6 28 m2 43 q7 28 m3 43 q0 30 q1 30 m4 43 q2 30 q3 30
            m5 43 q4 30 m1 44 q5 30 m2 44 q6 30 m3 44 q7 30 m4 44 q0 32 q1 32 m5 44 q2 32 m1 45 q3 32 m2 45
            q4 32 m3 45 q5 32 m4 45 q6 32 q7 32 m5 45 q0 34 m1 46 q1 34 m2 46 q2 34 m3 46 q3 34 q4 34 m4 46
            q5 34 q6 34 m5 46 m1 47 q7 34 m2 47 q0 36 m3 47 q1 36 q2 36 m4 47 q3 36 q4 36 m5 47 q5 36 m1 48
            q6 36 m2 48 q7 36 m3 48 q0 38 m4 48 q1 38 q2 38 m5 48 q3 38 m1 49 q4 38 m2 49 q5 38 m3 49 q6 38
            m4 49 q7 38 q0 40 m5 49 q1 40 m1 50 q2 40 m2 50 q3 40 m3 50 q4 40 q5 40 m4 50 q6 40 q7 40 m5 50
            m1 51 q0 42 m2 51 q1 42 m3 51 q2 42 q3 42 m4 51 q4 42 q5 42 m5 51 q6 42 m1 52 q7 42 m2 52 q0 44
            m3 52 q1 44 m4 52 q2 44 q3 44 m5 52 q4 44 m1 53 q5 44 m2 53 q6 44 m3 53 q7 44 m4 53 q0 46 q1 46
            m5 53 q2 46 m1 54 q3 46 m2 54 q4 46 m3 54 q5 46 q6 46 m4 54 q7 46 q0 48 m5 54 m1 55 q1 48 m2 55
            q2 48 m3 55 q3 48 q4 48 m4 55 q5 48 q6 48 m5 55 q7 48 m1 56 q0 50 m2 56 q1 50 m3 56 q2 50 m4 56
            q3 50 q4 50 m5 56 q5 50 m1 57 q6 50 m2 57 q7 50 m3 57 q0 52 m4 57 q1 52 q2 52 m5 57 q3 52 m1 58
            q4 52 m2 58 q5 52 m3 58 q6 52 q7 52 m4 58 q0 54 q1 54 m5 58 m1 59 q2 54 m2 59 q3 54 m3 59 q4 54
            q5 54 m4 59 q6 54 q7 54 m5 59 q0 56 m1 60 q1 56 m2 60 q2 56 m3 60 q3 56 m4 60 q4 56 q5 56 m5 60
            q6 56 m1 61 q7 56 m2 61 q0 58 m3 61 q1 58 m4 61 q2 58 q3 58 m5 61 q4 58 m1 62 q5 58 m2 62 q6 58
            m3 62 q7 58 q0 60 m4 62 q1 60 q2 60 m5 62 m1 63 q3 60 m2 63 q4 60 m3 63 q5 60 q6 60 m4 63 q7 60
            leave_second 0 m5 63 leave_second 4
        }
    };
}

macro_rules! wide_versions_1 {
    () => {
        steps! {
            gather 0 enter_first 0 enter_first 4 p0 4 p1 4 p2 4 p3 4 p4 4 p5 4 p6 4 p7 4 p0 6 p1 6 p2 6
            p3 6 p4 6 gather 4 p5 6 p6 6 p7 6 p0 8 p1 8 p2 8 p3 8 p4 8 p5 8 p6 8 p7 8 p0 10 p1 10 p2 10
            p3 10 p4 10 spread 0 p5 10 p6 10 p7 10 spread 2 p0 12 p1 12 p2 12 spread 4 p3 12 p4 12 p5 12
            p6 12 spread 6 p7 12 p0 14 p1 14 m1 16 p2 14 p3 14 m2 16 p4 14 p5 14 m3 16 m4 16 m5 16 p6 14
            m1 17 p7 14 p0 16 m2 17 p1 16 p2 16 m3 17 p3 16 m4 17 m5 17 p4 16 p5 16 p6 16 m1 18 p7 16 p0 18
            m2 18 p1 18 m3 18 p2 18 p3 18 p4 18 m4 18 p5 18 p6 18 m5 18 p7 18 m1 19 p0 20 p1 20 m2 19 p2 20
            p3 20 m3 19 p4 20 p5 20 m4 19 p6 20 p7 20 p0 22 m5 19 p1 22 p2 22 m1 20 p3 22 p4 22 m2 20 p5 22
            p6 22 m3 20 p7 22 p0 24 m4 20 p1 24 p2 24 p3 24 m5 20 p4 24 m1 21 p5 24 m2 21 p6 24 p7 24 m3 21
            p0 26 p1 26 p2 26 m4 21 p3 26 p4 26 m5 21 p5 26 p6 26 p7 26 m1 22 p0 28 m2 22 p1 28 p2 28 m3 22
            p3 28 p4 28 p5 28 m4 22 p6 28 p7 28 p0 30 m5 22 p1 30 m2 23 m3 23 p2 30 p3 30 m4 23 p4 30 p5 30
            p6 30 p7 30 p0 32 m5 23 p1 32 p2 32 m2 24 m3 24 p3 32 p4 32 m4 24 p5 32 p6 32 p7 32 p0 34 m5 24
            p1 34 m2 25 m3 25 p2 34 p3 34 m4 25 p4 34 p5 34 p6 34 m5 25 p7 34 p0 36 p1 36 m2 26 m3 26 p2 36
            m4 26 p3 36 p4 36 p5 36 p6 36 m5 26 p7 36 m2 27 m3 27 p0 38 m4 27 p1 38 p2 38 p3 38 p4 38 m5 27
            p5 38 p6 38 m2 28 m3 28 p7 38 p0 40 m4 28 p1 40 p2 40 p3 40 m5 28 p4 40 m2 29 m3 29 p5 40 p6 40
            m4 29 p7 40 p0 42 p1 42 m5 29 p2 42 p3 42 p4 42 m2 30 m3 30 p5 42 p6 42 m4 30 p7 42 p0 44 p1 44
            p2 44 m5 30 p3 44 m1 31 p4 44 m2 31 p5 44 p6 44 m3 31 p7 44 p0 46 m4 31 p1 46 p2 46 p3 46 p4 46
            m5 31 p5 46 p6 46 p7 46 m1 32 p0 48 m2 32 p1 48 p2 48 m3 32 p3 48 p4 48 p5 48 m4 32 p6 48 p7 48
            p0 50 m5 32 p1 50 m1 33 p2 50 p3 50 m2 33 p4 50 m3 33 p5 50 p6 50 p7 50 m4 33 p0 52 p1 52 p2 52
            m5 33 p3 52 p4 52 p5 52 m1 34 p6 52 m2 34 p7 52 p0 54 m3 34 p1 54 p2 54 p3 54 m4 34 p4 54 p5 54
            p6 54 m5 34 p7 54 m1 35 p0 56 p1 56 m2 35 p2 56 m3 35 p3 56 p4 56 p5 56 m4 35 p6 56 p7 56 p0 58
            m5 35 p1 58 p2 58 p3 58 m1 36 p4 58 p5 58 m2 36 p6 58 m3 36 p7 58 p0 60 p1 60 m4 36 p2 60 p3 60
            p4 60 m5 36 p5 60 m1 37 p6 60 p7 60 m2 37 p0 62 p1 62 m3 37 p2 62 p3 62 m4 37 p4 62 p5 62 p6 62
            m5 37 p7 62 leave_first 0 leave_first 4
        }
    };
}

macro_rules! wide_versions_2 {
    () => {
        steps! {
            begin 0 enter_second 0 enter_second 4 q0 0 q1 0 q2 0 q3 0 q4 0 q5 0 q6 0 q7 0 q0 2 q1 2 q2 2
            q3 2 m1 38 q4 2 m2 38 q5 2 q6 2 m3 38 q7 2 m4 38 q0 4 q1 4 q2 4 m5 38 m1 39 q3 4 m2 39 q4 4
            q5 4 m3 39 q6 4 m4 39 q7 4 q0 6 q1 6 m5 39 q2 6 m1 40 q3 6 q4 6 m2 40 q5 6 m3 40 q6 6 q7 6
            m4 40 q0 8 q1 8 m5 40 q2 8 m1 41 q3 8 m2 41 q4 8 m3 41 q5 8 q6 8 m4 41 q7 8 q0 10 m5 41 q1 10
            q2 10 m1 42 q3 10 m2 42 q4 10 m3 42 q5 10 q6 10 m4 42 q7 10 q0 12 m5 42 q1 12 m1 43 q2 12 m2 43
            q3 12 m3 43 q4 12 q5 12 m4 43 q6 12 q7 12 m5 43 q0 14 q1 14 m1 44 q2 14 m2 44 q3 14 q4 14 m3 44
            q5 14 m4 44 q6 14 q7 14 q0 16 m5 44 m1 45 q1 16 m2 45 q2 16 q3 16 m3 45 q4 16 m4 45 q5 16 q6 16
            q7 16 m5 45 q0 18 q1 18 m1 46 q2 18 m2 46 q3 18 m3 46 q4 18 q5 18 m4 46 q6 18 q7 18 m5 46 q0 20
            m1 47 q1 20 m2 47 q2 20 m3 47 q3 20 q4 20 m4 47 q5 20 q6 20 m5 47 q7 20 q0 22 m1 48 q1 22 m2 48
            q2 22 m3 48 q3 22 q4 22 m4 48 q5 22 q6 22 m5 48 q7 22 m1 49 q0 24 m2 49 q1 24 m3 49 q2 24 q3 24
            m4 49 q4 24 q5 24 m5 49 q6 24 q7 24 m1 50 q0 26 m2 50 q1 26 q2 26 m3 50 q3 26 m4 50 q4 26 q5 26
            q6 26 m5 50 m1 51 q7 26 m2 51 q0 28 q1 28 m3 51 q2 28 m4 51 q3 28 q4 28 q5 28 m5 51 q6 28 q7 28
            m1 52 q0 30 m2 52 q1 30 m3 52 q2 30 q3 30 m4 52 q4 30 q5 30 m5 52 q6 30 m1 53 q7 30 m2 53 q0 32
            m3 53 q1 32 q2 32 m4 53 q3 32 q4 32 m5 53 q5 32 q6 32 m1 54 q7 32 m2 54 q0 34 m3 54 q1 34 q2 34
            m4 54 q3 34 q4 34 m5 54 q5 34 m1 55 q6 34 m2 55 q7 34 m3 55 q0 36 q1 36 m4 55 q2 36 q3 36 m5 55
            q4 36 q5 36 m1 56 q6 36 m2 56 q7 36 q0 38 m3 56 q1 38 m4 56 q2 38 q3 38 q4 38 m5 56 m1 57 q5 38
            m2 57 q6 38 q7 38 m3 57 q0 40 m4 57 q1 40 q2 40 q3 40 m5 57 q4 40 q5 40 m1 58 q6 40 m2 58 q7 40
            m3 58 q0 42 q1 42 m4 58 q2 42 q3 42 m5 58 q4 42 m1 59 q5 42 m2 59 q6 42 m3 59 q7 42 q0 44 m4 59
            q1 44 q2 44 m5 59 q3 44 q4 44 m1 60 q5 44 m2 60 q6 44 m3 60 q7 44 q0 46 m4 60 q1 46 q2 46 m5 60
            q3 46 q4 46 q5 46 q6 46 q7 46 q0 48 q1 48 q2 48 q3 48 q4 48 q5 48 q6 48 q7 48 q0 50 q1 50 q2 50
            q3 50 q4 50 q5 50 q6 50 q7 50 q0 52 q1 52 q2 52 q3 52 q4 52 q5 52 q6 52 q7 52 q0 54 q1 54 q2 54
            q3 54 q4 54 q5 54 q6 54 q7 54 q0 56 q1 56 q2 56 q3 56 q4 56 q5 56 q6 56 q7 56 q0 58 q1 58 q2 58
            q3 58 q4 58 q5 58 q6 58 q7 58 q0 60 q1 60 q2 60 q3 60 q4 60 q5 60 q6 60 q7 60 leave_second 0
            leave_second 4
        }
    };
}

macro_rules! narrow_1 {
    () => {
        steps! {
            gather 0 enter_first 0 p0 4 p1 4 p2 4 p3 4 p0 6 p1 6 gather 4 p2 6 p3 6 p0 8 p1 8 p2 8 p3 8
            p0 10 p1 10 spread 0 p2 10 p3 10 spread 2 p0 12 spread 4 p1 12 p2 12 spread 6 p3 12 p0 14 m1 16
            m2 16 p1 14 m3 16 p2 14 m4 16 m5 16 m1 17 p3 14 m2 17 p0 16 m3 17 m4 17 p1 16 m5 17 p2 16 m1 18
            p3 16 m2 18 p0 18 m3 18 p1 18 m4 18 p2 18 m5 18 p3 18 m1 19 m2 19 p0 20 m3 19 p1 20 m4 19 p2 20
            p3 20 m5 19 p0 22 m1 20 p1 22 m2 20 p2 22 m3 20 p3 22 m4 20 p0 24 m5 20 p1 24 m1 21 m2 21 p2 24
            m3 21 p3 24 m4 21 p0 26 p1 26 m5 21 p2 26 m1 22 p3 26 m2 22 p0 28 m3 22 p1 28 m4 22 p2 28 p3 28
            m5 22 m2 23 m3 23 p0 30 m4 23 p1 30 p2 30 m5 23 p3 30 p0 32 m2 24 m3 24 m4 24 p1 32 p2 32 m5 24
            p3 32 m2 25 m3 25 p0 34 m4 25 p1 34 m5 25 p2 34 p3 34 m2 26 m3 26 m4 26 p0 36 p1 36 m5 26 p2 36
            m2 27 m3 27 m4 27 p3 36 p0 38 m5 27 p1 38 m2 28 m3 28 p2 38 m4 28 p3 38 p0 40 m5 28 m2 29 m3 29
            p1 40 m4 29 p2 40 p3 40 m5 29 p0 42 m2 30 m3 30 p1 42 m4 30 p2 42 p3 42 m5 30 m1 31 p0 44 m2 31
            p1 44 m3 31 p2 44 m4 31 p3 44 p0 46 m5 31 p1 46 m1 32 p2 46 m2 32 p3 46 m3 32 p0 48 m4 32 p1 48
            p2 48 m5 32 m1 33 p3 48 m2 33 p0 50 m3 33 p1 50 m4 33 p2 50 p3 50 m5 33 p0 52 m1 34 p1 52 m2 34
            p2 52 m3 34 p3 52 m4 34 p0 54 p1 54 m5 34 m1 35 p2 54 m2 35 p3 54 m3 35 p0 56 m4 35 p1 56 p2 56
            m5 35 p3 56 m1 36 p0 58 m2 36 p1 58 m3 36 p2 58 m4 36 p3 58 m5 36 p0 60 m1 37 p1 60 m2 37 p2 60
            m3 37 p3 60 m4 37 p0 62 m5 37 p1 62 p2 62 m1 38 p3 62 m2 38 m3 38 leave_first 0 enter_first 4
            m4 38 p4 4 m5 38 p5 4 m1 39 p6 4 m2 39 m3 39 p7 4 p4 6 m4 39 p5 6 m5 39 p6 6 p7 6 m1 40 m2 40
            p4 8 m3 40 p5 8 m4 40 p6 8 p7 8 m5 40 p4 10 m1 41 m2 41 p5 10 m3 41 p6 10 m4 41 p7 10 p4 12
            m5 41 p5 12 m1 42 p6 12 m2 42 p7 12 m3 42 p4 14 m4 42 p5 14 p6 14 m5 42 m1 43 p7 14 m2 43 p4 16
            m3 43 p5 16 m4 43 p6 16 p7 16 m5 43 p4 18 m1 44 p5 18 m2 44 p6 18 m3 44 p7 18 m4 44 p4 20 p5 20
            m5 44 m1 45 p6 20 m2 45 p7 20 m3 45 p4 22 m4 45 p5 22 p6 22 m5 45 p7 22 m1 46 p4 24 m2 46 p5 24
            m3 46 p6 24 m4 46 p7 24 p4 26 m5 46 m1 47 p5 26 m2 47 p6 26 m3 47 p7 26 m4 47 p4 28 p5 28 m5 47
            p6 28 m1 48 p7 28 m2 48 p4 30 m3 48 p5 30 m4 48 p6 30 p7 30 m5 48 m1 49 p4 32 m2 49 p5 32 m3 49
            p6 32 m4 49 p7 32 p4 34 m5 49 p5 34 m1 50 p6 34 m2 50 m3 50 p7 34 p4 36 m4 50 p5 36 m5 50 p6 36
            m1 51 p7 36 m2 51 m3 51 p4 38 p5 38 m4 51 p6 38 m5 51 p7 38 p4 40 m1 52 m2 52 p5 40 m3 52 p6 40
            p7 40 m4 52 p4 42 m5 52 p5 42 m1 53 m2 53 p6 42 m3 53 p7 42 p4 44 m4 53 p5 44 m5 53 p6 44 m1 54
            p7 44 m2 54 p4 46 m3 54 p5 46 m4 54 p6 46 p7 46 m5 54 m1 55 p4 48 m2 55 p5 48 m3 55 p6 48 m4 55
            p7 48 p4 50 m5 55 p5 50 m1 56 p6 50 m2 56 p7 50 m3 56 p4 52 m4 56 p5 52 p6 52 m5 56 m1 57 p7 52
            m2 57 p4 54 m3 57 p5 54 m4 57 p6 54 p7 54 m5 57 p4 56 m1 58 p5 56 m2 58 p6 56 m3 58 p7 56 m4 58
            p4 58 p5 58 m5 58 m1 59 p6 58 m2 59 p7 58 m3 59 p4 60 m4 59 p5 60 p6 60 m5 59 p7 60 m1 60 p4 62
            m2 60 p5 62 m3 60 p6 62 m4 60 p7 62 leave_first 4 m5 60
        }
    };
}

macro_rules! narrow_2 {
    () => {
        steps! {
            begin 0 enter_second 0 q0 0 m1 18 q1 0 m2 18 q2 0 m4 18 m5 18 q3 0 m2 19 m3 19 m4 19 q0 2 m5 19
            q1 2 m2 20 m3 20 q2 2 m4 20 q3 2 q0 4 m5 20 q1 4 m2 21 m3 21 q2 4 m4 21 q3 4 m5 21 q0 6 m2 22
            m3 22 q1 6 m4 22 q2 6 q3 6 m5 22 q0 8 m2 23 m3 23 q1 8 m4 23 q2 8 q3 8 m5 23 q0 10 m2 24 m3 24
            q1 10 m4 24 q2 10 q3 10 m5 24 q0 12 m2 25 m3 25 m4 25 q1 12 q2 12 m5 25 q3 12 q0 14 m2 26 m3 26
            q1 14 m4 26 q2 14 q3 14 m5 26 m2 27 m3 27 q0 16 m4 27 q1 16 q2 16 m5 27 q3 16 q0 18 m2 28 m3 28
            q1 18 m4 28 q2 18 m5 28 q3 18 m2 29 m3 29 q0 20 m4 29 q1 20 q2 20 m5 29 q3 20 m2 30 m3 30 q0 22
            m4 30 q1 22 q2 22 q3 22 m5 30 m2 31 m3 31 q0 24 m4 31 q1 24 q2 24 m5 31 q3 24 q0 26 m2 32 m3 32
            q1 26 m4 32 q2 26 q3 26 m5 32 q0 28 m1 33 q1 28 m2 33 q2 28 m3 33 q3 28 m4 33 q0 30 q1 30 m5 33
            q2 30 m1 34 q3 30 m2 34 q0 32 m3 34 q1 32 q2 32 m4 34 q3 32 q0 34 m5 34 m1 35 q1 34 m2 35 q2 34
            m3 35 q3 34 q0 36 m4 35 q1 36 q2 36 m5 35 q3 36 m1 36 q0 38 m2 36 q1 38 m3 36 q2 38 m4 36 q3 38
            q0 40 m5 36 q1 40 m1 37 q2 40 m2 37 q3 40 m3 37 q0 42 m4 37 q1 42 q2 42 m5 37 q3 42 m1 38 q0 44
            m2 38 q1 44 m3 38 q2 44 q3 44 m4 38 q0 46 q1 46 m5 38 m1 39 q2 46 m2 39 q3 46 m3 39 q0 48 q1 48
            m4 39 q2 48 q3 48 m5 39 q0 50 m1 40 q1 50 m2 40 q2 50 m3 40 q3 50 m4 40 q0 52 q1 52 m5 40 q2 52
            m1 41 q3 52 m2 41 q0 54 m3 41 q1 54 m4 41 q2 54 q3 54 m5 41 q0 56 m1 42 q1 56 m2 42 q2 56 m3 42
            q3 56 q0 58 m4 42 q1 58 q2 58 m5 42 m1 43 q3 58 m2 43 q0 60 m3 43 q1 60 q2 60 m4 43 q3 60
            leave_second 0 m5 43 enter_second 4 m1 44 q4 0 m2 44 q5 0 m3 44 q6 0 m4 44 q7 0 q4 2 m5 44 q5 2
            m1 45 q6 2 m2 45 q7 2 m3 45 q4 4 m4 45 q5 4 q6 4 m5 45 q7 4 m1 46 q4 6 m2 46 q5 6 m3 46 q6 6
            q7 6 m4 46 q4 8 q5 8 m5 46 m1 47 q6 8 m2 47 q7 8 m3 47 q4 10 q5 10 m4 47 q6 10 q7 10 m5 47
            q4 12 m1 48 q5 12 m2 48 q6 12 m3 48 q7 12 m4 48 q4 14 q5 14 m5 48 q6 14 m1 49 q7 14 m2 49 q4 16
            m3 49 q5 16 m4 49 q6 16 q7 16 m5 49 q4 18 m1 50 q5 18 m2 50 q6 18 m3 50 q7 18 q4 20 m4 50 q5 20
            q6 20 m5 50 m1 51 q7 20 m2 51 q4 22 m3 51 q5 22 q6 22 m4 51 q7 22 q4 24 m5 51 q5 24 m1 52 q6 24
            m2 52 q7 24 m3 52 q4 26 m4 52 q5 26 q6 26 m5 52 q7 26 m1 53 q4 28 m2 53 q5 28 m3 53 q6 28 m4 53
            q7 28 q4 30 m5 53 q5 30 m1 54 q6 30 m2 54 q7 30 m3 54 q4 32 q5 32 m4 54 q6 32 q7 32 m5 54 m1 55
            q4 34 m2 55 q5 34 m3 55 q6 34 q7 34 m4 55 q4 36 q5 36 m5 55 q6 36 m1 56 q7 36 m2 56 q4 38 m3 56
            q5 38 m4 56 q6 38 q7 38 m5 56 q4 40 m1 57 q5 40 m2 57 q6 40 m3 57 q7 40 m4 57 q4 42 q5 42 m5 57
            q6 42 m1 58 q7 42 m2 58 q4 44 m3 58 q5 44 q6 44 m4 58 q7 44 q4 46 m5 58 m1 59 q5 46 m2 59 q6 46
            m3 59 q7 46 q4 48 m4 59 q5 48 q6 48 m5 59 q7 48 m1 60 q4 50 m2 60 q5 50 m3 60 q6 50 m4 60 q7 50
            q4 52 m5 60 q5 52 m1 61 q6 52 m2 61 q7 52 m3 61 q4 54 m4 61 q5 54 q6 54 m5 61 q7 54 m1 62 q4 56
            m2 62 q5 56 m3 62 q6 56 q7 56 m4 62 q4 58 q5 58 m5 62 m1 63 q6 58 m2 63 q7 58 m3 63 q4 60 q5 60
            m4 63 q6 60 q7 60 m5 63 leave_second 4
        }
    };
}

macro_rules! narrow_versions_1 {
    () => {
        steps! {
            gather 0 enter_first 0 p0 4 p1 4 p2 4 p3 4 p0 6 p1 6 p2 6 p3 6 p0 8 p1 8 p2 8 p3 8 p0 10 p1 10
            gather 4 p2 10 p3 10 p0 12 p1 12 p2 12 p3 12 p0 14 p1 14 p2 14 p3 14 p0 16 p1 16 p2 16 p3 16
            p0 18 p1 18 spread 0 p2 18 p3 18 p0 20 spread 2 p1 20 p2 20 p3 20 spread 4 p0 22 p1 22 p2 22
            p3 22 spread 6 p0 24 p1 24 p2 24 m1 16 p3 24 p0 26 m2 16 p1 26 p2 26 m3 16 m4 16 m5 16 p3 26
            m1 17 p0 28 p1 28 m2 17 p2 28 p3 28 m3 17 p0 30 m4 17 m5 17 p1 30 p2 30 p3 30 m1 18 p0 32 p1 32
            m2 18 p2 32 m3 18 p3 32 p0 34 p1 34 m4 18 p2 34 p3 34 m5 18 p0 36 m1 19 p1 36 p2 36 m2 19 p3 36
            p0 38 m3 19 p1 38 p2 38 m4 19 p3 38 p0 40 p1 40 m5 19 p2 40 p3 40 m1 20 p0 42 p1 42 m2 20 p2 42
            p3 42 m3 20 p0 44 p1 44 m4 20 p2 44 p3 44 p0 46 m5 20 p1 46 m1 21 p2 46 m2 21 p3 46 p0 48 m3 21
            p1 48 p2 48 p3 48 m4 21 p0 50 p1 50 m5 21 p2 50 p3 50 p0 52 m1 22 p1 52 m2 22 p2 52 p3 52 m3 22
            p0 54 p1 54 p2 54 m4 22 p3 54 p0 56 p1 56 m5 22 p2 56 m2 23 m3 23 p3 56 p0 58 m4 23 p1 58 p2 58
            p3 58 p0 60 p1 60 m5 23 p2 60 p3 60 m2 24 m3 24 p0 62 p1 62 m4 24 p2 62 p3 62 leave_first 0
            enter_first 4 m5 24 p4 4 m2 25 m3 25 p5 4 p6 4 m4 25 p7 4 p4 6 p5 6 m5 25 p6 6 p7 6 p4 8 m2 26
            m3 26 p5 8 m4 26 p6 8 p7 8 p4 10 p5 10 m5 26 p6 10 m2 27 m3 27 p7 10 m4 27 p4 12 p5 12 p6 12
            p7 12 m5 27 p4 14 p5 14 m2 28 m3 28 p6 14 p7 14 m4 28 p4 16 p5 16 p6 16 m5 28 p7 16 m2 29 m3 29
            p4 18 p5 18 m4 29 p6 18 p7 18 p4 20 m5 29 p5 20 p6 20 p7 20 m2 30 m3 30 p4 22 p5 22 m4 30 p6 22
            p7 22 p4 24 p5 24 m5 30 p6 24 m1 31 p7 24 m2 31 p4 26 p5 26 m3 31 p6 26 p7 26 m4 31 p4 28 p5 28
            p6 28 p7 28 m5 31 p4 30 p5 30 p6 30 m1 32 p7 30 m2 32 p4 32 p5 32 m3 32 p6 32 p7 32 p4 34 m4 32
            p5 34 p6 34 p7 34 m5 32 p4 36 m1 33 p5 36 p6 36 m2 33 p7 36 m3 33 p4 38 p5 38 p6 38 m4 33 p7 38
            p4 40 p5 40 m5 33 p6 40 p7 40 p4 42 m1 34 p5 42 m2 34 p6 42 p7 42 m3 34 p4 44 p5 44 p6 44 m4 34
            p7 44 p4 46 p5 46 m5 34 p6 46 m1 35 p7 46 p4 48 m2 35 p5 48 m3 35 p6 48 p7 48 p4 50 m4 35 p5 50
            p6 50 p7 50 m5 35 p4 52 p5 52 p6 52 m1 36 p7 52 p4 54 m2 36 p5 54 m3 36 p6 54 p7 54 p4 56 m4 36
            p5 56 p6 56 p7 56 m5 36 p4 58 m1 37 p5 58 p6 58 m2 37 p7 58 p4 60 m3 37 p5 60 p6 60 m4 37 p7 60
            p4 62 p5 62 m5 37 p6 62 p7 62 leave_first 4
        }
    };
}

macro_rules! narrow_versions_2 {
    () => {
        steps! {
            begin 0 enter_second 0 q0 0 q1 0 q2 0 q3 0 m1 38 q0 2 m2 38 m3 38 q1 2 m4 38 q2 2 m5 38 m1 39
            m2 39 q3 2 m3 39 m4 39 q0 4 m5 39 q1 4 m1 40 m2 40 q2 4 m3 40 m4 40 q3 4 m5 40 m1 41 q0 6 m2 41
            m3 41 q1 6 m4 41 q2 6 m5 41 q3 6 m1 42 m2 42 m3 42 q0 8 m4 42 q1 8 m5 42 m1 43 q2 8 m2 43 m3 43
            q3 8 m4 43 q0 10 m5 43 m1 44 q1 10 m2 44 m3 44 q2 10 m4 44 q3 10 m5 44 m1 45 m2 45 q0 12 m3 45
            m4 45 q1 12 m5 45 q2 12 m1 46 m2 46 q3 12 m3 46 m4 46 q0 14 m5 46 m1 47 q1 14 m2 47 m3 47 q2 14
            m4 47 q3 14 m5 47 m1 48 q0 16 m2 48 m3 48 q1 16 m4 48 q2 16 m5 48 m1 49 q3 16 m2 49 m3 49 q0 18
            m4 49 m5 49 q1 18 m1 50 q2 18 m2 50 m3 50 q3 18 m4 50 q0 20 m5 50 m1 51 m2 51 q1 20 m3 51 m4 51
            q2 20 m5 51 q3 20 m1 52 m2 52 q0 22 m3 52 m4 52 q1 22 m5 52 m1 53 q2 22 m2 53 m3 53 q3 22 m4 53
            q0 24 m5 53 m1 54 q1 24 m2 54 m3 54 q2 24 m4 54 q3 24 m5 54 m1 55 m2 55 q0 26 m3 55 q1 26 m4 55
            m5 55 q2 26 m1 56 q3 26 m2 56 m3 56 q0 28 m4 56 m5 56 q1 28 m1 57 m2 57 q2 28 m3 57 m4 57 q3 28
            m5 57 q0 30 m1 58 m2 58 q1 30 m3 58 m4 58 q2 30 m5 58 m1 59 q3 30 m2 59 m3 59 q0 32 m4 59 q1 32
            m5 59 m1 60 q2 32 m2 60 m3 60 q3 32 m4 60 q0 34 m5 60 q1 34 q2 34 q3 34 q0 36 q1 36 q2 36 q3 36
            q0 38 q1 38 q2 38 q3 38 q0 40 q1 40 q2 40 q3 40 q0 42 q1 42 q2 42 q3 42 q0 44 q1 44 q2 44 q3 44
            q0 46 q1 46 q2 46 q3 46 q0 48 q1 48 q2 48 q3 48 q0 50 q1 50 q2 50 q3 50 q0 52 q1 52 q2 52 q3 52
            q0 54 q1 54 q2 54 q3 54 q0 56 q1 56 q2 56 q3 56 q0 58 q1 58 q2 58 q3 58 q0 60 q1 60 q2 60 q3 60
            leave_second 0 enter_second 4 q4 0 q5 0 q6 0 q7 0 q4 2 q5 2 q6 2 q7 2 q4 4 q5 4 q6 4 q7 4 q4 6
            q5 6 q6 6 q7 6 q4 8 q5 8 q6 8 q7 8 q4 10 q5 10 q6 10 q7 10 q4 12 q5 12 q6 12 q7 12 q4 14 q5 14
            q6 14 q7 14 q4 16 q5 16 q6 16 q7 16 q4 18 q5 18 q6 18 q7 18 q4 20 q5 20 q6 20 q7 20 q4 22 q5 22
            q6 22 q7 22 q4 24 q5 24 q6 24 q7 24 q4 26 q5 26 q6 26 q7 26 q4 28 q5 28 q6 28 q7 28 q4 30 q5 30
            q6 30 q7 30 q4 32 q5 32 q6 32 q7 32 q4 34 q5 34 q6 34 q7 34 q4 36 q5 36 q6 36 q7 36 q4 38 q5 38
            q6 38 q7 38 q4 40 q5 40 q6 40 q7 40 q4 42 q5 42 q6 42 q7 42 q4 44 q5 44 q6 44 q7 44 q4 46 q5 46
            q6 46 q7 46 q4 48 q5 48 q6 48 q7 48 q4 50 q5 50 q6 50 q7 50 q4 52 q5 52 q6 52 q7 52 q4 54 q5 54
            q6 54 q7 54 q4 56 q5 56 q6 56 q7 56 q4 58 q5 58 q6 58 q7 58 q4 60 q5 60 q6 60 q7 60
            leave_second 4
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{NARROW, NARROW_VERSIONS, WIDE, WIDE_VERSIONS};
    use crate::constants::{KNOWN, TERM_2, TERM_7, TERM_15, TERM_16, first_terms, second_terms};

    type Step = (&'static str, usize);

    /// A list as values.
    macro_rules! steps {
        ($($name:ident $t:literal)*) => { [$((stringify!($name), $t)),*] };
    }

    /// Operations of a list. `terms` are those of its words; a rotate and an exclusive or of three are so many.
    fn operations(list: &[Step], terms: fn(usize) -> u8, rotate: u32, xor_3: u32) -> [u32; 2] {
        let (mut words, mut places) = (0, 0);
        for &(name, t) in list {
            let has = |term: u8| u32::from(terms(t) & term != 0);
            match name {
                "m1" => words += has(TERM_15) * 2 * rotate,
                "m2" => words += has(TERM_15) * (1 + xor_3),
                "m3" => words += has(TERM_2) * 2 * rotate,
                "m4" => {
                    let sum = [TERM_2, TERM_7, TERM_15, TERM_16, KNOWN].map(has).iter().sum::<u32>();
                    words += has(TERM_2) * (1 + xor_3) + sum - 1;
                }
                "m5" => {
                    words += 1;
                    // Two unpacks for a pair, or for a last word by itself.
                    let ends_pair = t % 2 == 1 || !list.contains(&("m5", t + 1));
                    places += 2 * u32::from(ends_pair);
                }
                "spread" => (words, places) = (words + 2, places + 2),
                "gather" => places += 8 + 4,
                _ => {}
            }
        }
        [words, places]
    }

    #[test]
    fn the_operations_are_counted() {
        // The words of the first list are always of the second hash.
        let check = |lists: [&[Step]; 2], terms: fn(usize) -> u8, [rotate, xor_3]: [u32; 2], expected| {
            let first = operations(lists[0], second_terms, rotate, xor_3);
            let second = operations(lists[1], terms, rotate, xor_3);
            assert_eq!([first[0] + second[0], first[1] + second[1]], expected);
        };
        check([&wide_1!(), &wide_2!()], first_terms, [1, 1], WIDE);
        check([&wide_versions_1!(), &wide_versions_2!()], second_terms, [1, 1], WIDE_VERSIONS);
        check([&narrow_1!(), &narrow_2!()], first_terms, [3, 2], NARROW);
        check([&narrow_versions_1!(), &narrow_versions_2!()], second_terms, [3, 2], NARROW_VERSIONS);
    }

    #[test]
    fn both_orders_do_the_same() {
        let check = |wide: [&[Step]; 2], narrow: [&[Step]; 2]| {
            let sorted = |lists: [&[Step]; 2]| {
                let mut steps = lists.concat();
                steps.sort_unstable();
                steps
            };
            assert_eq!(sorted(wide), sorted(narrow));
        };
        check([&wide_1!(), &wide_2!()], [&narrow_1!(), &narrow_2!()]);
        check([&wide_versions_1!(), &wide_versions_2!()], [&narrow_versions_1!(), &narrow_versions_2!()]);
    }
}
