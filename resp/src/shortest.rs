//! Digits of doubles by Grisu2 (Loitsch, "Printing floating-point numbers quickly and accurately with integers", 2010).
//!
//! Grisu2 finds the shortest digits nearly always; in one case of a thousand it writes a digit more, as for 1e23. Redis
//! prints scores this way, so that a true shortest printer would differ from it where clients can see it.

/// The first power of ten in [`POWERS`].
const FIRST_POWER: i32 = -348;

/// The distance between two powers in [`POWERS`].
const STEP: i32 = 8;

/// The significant digits of a number, and the power of ten of the last one.
pub(crate) struct Digits {
    bytes: [u8; 20],
    len: usize,
    /// The number is all digits, read as an integer, times ten to this.
    pub(crate) exponent: i32,
}

impl Digits {
    /// Digits of a positive, finite number, the first one not zero.
    pub(crate) fn of(value: f64) -> Self {
        let exact = Scaled::of(value);
        let (lower, upper) = exact.boundaries();
        let (power, exponent) = power_for(upper.exponent);
        let mut lower = lower.times(power);
        let mut upper = upper.times(power);
        // Each product may be off by one in the last place; what lies between is certain to read back as this number.
        lower.mantissa += 1;
        upper.mantissa -= 1;
        generate(exact.normalized().times(power), lower, upper, -exponent)
    }

    /// The digits as text.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, digit: u64) {
        // No zeros in front.
        if digit == 0 && self.len == 0 {
            return;
        }
        self.bytes[self.len] = b'0' + digit as u8;
        self.len += 1;
    }

    /// Lowers the last digit while that brings the number nearer to the exact one and not below the interval.
    fn round(&mut self, delta: u64, mut rest: u64, unit: u64, distance: u64) {
        while rest < distance
            && delta - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            self.bytes[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// A number as `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

impl Scaled {
    const fn new(mantissa: u64, exponent: i32) -> Self {
        Scaled { mantissa, exponent }
    }

    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        match (bits >> 52 & 0x7ff) as i32 {
            0 => Scaled::new(fraction, -1074),
            biased => Scaled::new(fraction | 1 << 52, biased - 1075),
        }
    }

    fn normalized(self) -> Self {
        let shift = self.mantissa.leading_zeros();
        Scaled::new(self.mantissa << shift, self.exponent - shift as i32)
    }

    /// Half way to the neighbours below and above, with one exponent. Below a power of two the neighbour is nearer.
    fn boundaries(self) -> (Self, Self) {
        let upper = Scaled::new(self.mantissa * 2 + 1, self.exponent - 1).normalized();
        let shift = if self.mantissa == 1 << 52 { 2 } else { 1 };
        let lower = (self.mantissa << shift) - 1;
        (Scaled::new(lower << (self.exponent - shift - upper.exponent), upper.exponent), upper)
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Scaled::new((product >> 64) as u64, self.exponent + other.exponent + 64)
    }
}

/// A power of ten that brings a number with this binary exponent to between 2^-60 and 2^-32 per unit, and its exponent.
fn power_for(exponent: i32) -> (Scaled, i32) {
    let approximate = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (approximate - FIRST_POWER) / STEP;
    loop {
        let power = POWERS[index as usize];
        match exponent + power.exponent + 64 {
            ..-60 => index += 1,
            -31.. => index -= 1,
            _ => return (power, FIRST_POWER + index * STEP),
        }
    }
}

/// Writes digits of the upper bound until what is left lies within the interval.
fn generate(exact: Scaled, lower: Scaled, upper: Scaled, exponent: i32) -> Digits {
    let mut digits = Digits { bytes: [0; 20], len: 0, exponent };
    let shift = -upper.exponent as u32;
    let one = 1_u64 << shift;
    let distance = upper.mantissa - exact.mantissa;
    let mut delta = upper.mantissa - lower.mantissa;

    let mut whole = upper.mantissa >> shift;
    let mut fraction = upper.mantissa & (one - 1);
    let mut unit = 1_000_000_000_u64;
    for left in (0..10).rev() {
        digits.push(whole / unit);
        whole %= unit;
        let rest = (whole << shift) + fraction;
        if rest <= delta {
            digits.exponent += left;
            digits.round(delta, rest, unit << shift, distance);
            return digits;
        }
        unit /= 10;
    }
    let mut scale = 1_u64;
    loop {
        fraction *= 10;
        delta = delta.wrapping_mul(10);
        scale = scale.wrapping_mul(10);
        digits.exponent -= 1;
        digits.push(fraction >> shift);
        fraction &= one - 1;
        if fraction < delta {
            digits.round(delta, fraction, one, distance.wrapping_mul(scale));
            return digits;
        }
    }
}

/// Every eighth power of ten from 10^-348 to 10^340, rounded to 64 bits.
const POWERS: [Scaled; 87] = [
    Scaled::new(0xfa8f_d5a0_081c_0288, -1220),
    Scaled::new(0xbaae_e17f_a23e_bf76, -1193),
    Scaled::new(0x8b16_fb20_3055_ac76, -1166),
    Scaled::new(0xcf42_894a_5dce_35ea, -1140),
    Scaled::new(0x9a6b_b0aa_5565_3b2d, -1113),
    Scaled::new(0xe61a_cf03_3d1a_45df, -1087),
    Scaled::new(0xab70_fe17_c79a_c6ca, -1060),
    Scaled::new(0xff77_b1fc_bebc_dc4f, -1034),
    Scaled::new(0xbe56_91ef_416b_d60c, -1007),
    Scaled::new(0x8dd0_1fad_907f_fc3c, -980),
    Scaled::new(0xd351_5c28_3155_9a83, -954),
    Scaled::new(0x9d71_ac8f_ada6_c9b5, -927),
    Scaled::new(0xea9c_2277_23ee_8bcb, -901),
    Scaled::new(0xaecc_4991_4078_536d, -874),
    Scaled::new(0x823c_1279_5db6_ce57, -847),
    Scaled::new(0xc210_9436_4dfb_5637, -821),
    Scaled::new(0x9096_ea6f_3848_984f, -794),
    Scaled::new(0xd774_85cb_2582_3ac7, -768),
    Scaled::new(0xa086_cfcd_97bf_97f4, -741),
    Scaled::new(0xef34_0a98_172a_ace5, -715),
    Scaled::new(0xb238_67fb_2a35_b28e, -688),
    Scaled::new(0x84c8_d4df_d2c6_3f3b, -661),
    Scaled::new(0xc5dd_4427_1ad3_cdba, -635),
    Scaled::new(0x936b_9fce_bb25_c996, -608),
    Scaled::new(0xdbac_6c24_7d62_a584, -582),
    Scaled::new(0xa3ab_6658_0d5f_daf6, -555),
    Scaled::new(0xf3e2_f893_dec3_f126, -529),
    Scaled::new(0xb5b5_ada8_aaff_80b8, -502),
    Scaled::new(0x8762_5f05_6c7c_4a8b, -475),
    Scaled::new(0xc9bc_ff60_34c1_3053, -449),
    Scaled::new(0x964e_858c_91ba_2655, -422),
    Scaled::new(0xdff9_7724_7029_7ebd, -396),
    Scaled::new(0xa6df_bd9f_b8e5_b88f, -369),
    Scaled::new(0xf8a9_5fcf_8874_7d94, -343),
    Scaled::new(0xb944_7093_8fa8_9bcf, -316),
    Scaled::new(0x8a08_f0f8_bf0f_156b, -289),
    Scaled::new(0xcdb0_2555_6531_31b6, -263),
    Scaled::new(0x993f_e2c6_d07b_7fac, -236),
    Scaled::new(0xe45c_10c4_2a2b_3b06, -210),
    Scaled::new(0xaa24_2499_6973_92d3, -183),
    Scaled::new(0xfd87_b5f2_8300_ca0e, -157),
    Scaled::new(0xbce5_0864_9211_1aeb, -130),
    Scaled::new(0x8cbc_cc09_6f50_88cc, -103),
    Scaled::new(0xd1b7_1758_e219_652c, -77),
    Scaled::new(0x9c40_0000_0000_0000, -50),
    Scaled::new(0xe8d4_a510_0000_0000, -24),
    Scaled::new(0xad78_ebc5_ac62_0000, 3),
    Scaled::new(0x813f_3978_f894_0984, 30),
    Scaled::new(0xc097_ce7b_c907_15b3, 56),
    Scaled::new(0x8f7e_32ce_7bea_5c70, 83),
    Scaled::new(0xd5d2_38a4_abe9_8068, 109),
    Scaled::new(0x9f4f_2726_179a_2245, 136),
    Scaled::new(0xed63_a231_d4c4_fb27, 162),
    Scaled::new(0xb0de_6538_8cc8_ada8, 189),
    Scaled::new(0x83c7_088e_1aab_65db, 216),
    Scaled::new(0xc45d_1df9_4271_1d9a, 242),
    Scaled::new(0x924d_692c_a61b_e758, 269),
    Scaled::new(0xda01_ee64_1a70_8dea, 295),
    Scaled::new(0xa26d_a399_9aef_774a, 322),
    Scaled::new(0xf209_787b_b47d_6b85, 348),
    Scaled::new(0xb454_e4a1_79dd_1877, 375),
    Scaled::new(0x865b_8692_5b9b_c5c2, 402),
    Scaled::new(0xc835_53c5_c896_5d3d, 428),
    Scaled::new(0x952a_b45c_fa97_a0b3, 455),
    Scaled::new(0xde46_9fbd_99a0_5fe3, 481),
    Scaled::new(0xa59b_c234_db39_8c25, 508),
    Scaled::new(0xf6c6_9a72_a398_9f5c, 534),
    Scaled::new(0xb7dc_bf53_54e9_bece, 561),
    Scaled::new(0x88fc_f317_f222_41e2, 588),
    Scaled::new(0xcc20_ce9b_d35c_78a5, 614),
    Scaled::new(0x9816_5af3_7b21_53df, 641),
    Scaled::new(0xe2a0_b5dc_971f_303a, 667),
    Scaled::new(0xa8d9_d153_5ce3_b396, 694),
    Scaled::new(0xfb9b_7cd9_a4a7_443c, 720),
    Scaled::new(0xbb76_4c4c_a7a4_4410, 747),
    Scaled::new(0x8bab_8eef_b640_9c1a, 774),
    Scaled::new(0xd01f_ef10_a657_842c, 800),
    Scaled::new(0x9b10_a4e5_e991_3129, 827),
    Scaled::new(0xe710_9bfb_a19c_0c9d, 853),
    Scaled::new(0xac28_20d9_623b_f429, 880),
    Scaled::new(0x8044_4b5e_7aa7_cf85, 907),
    Scaled::new(0xbf21_e440_03ac_dd2d, 933),
    Scaled::new(0x8e67_9c2f_5e44_ff8f, 960),
    Scaled::new(0xd433_179d_9c8c_b841, 986),
    Scaled::new(0x9e19_db92_b4e3_1ba9, 1013),
    Scaled::new(0xeb96_bf6e_badf_77d9, 1039),
    Scaled::new(0xaf87_023b_9bf0_ee6b, 1066),
];
