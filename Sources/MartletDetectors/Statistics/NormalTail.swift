#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How unlikely values are under the normal distribution.
enum NormalTail {
    /// -log10 P(|Z| >= |z|). Beyond 25 by the first terms of the asymptotic series of the error function (Abramowitz
    /// and Stegun, 7.1.23), where `erfc` nears the least number that there is.
    static func significance(_ z: Double) -> Double {
        let size = abs(z)
        if size < 25 { return -log10(erfc(size * 0.5.squareRoot())) }
        return (size * size / 2 + log(size) + 0.2257913526) * 0.4342944819
    }

    /// -log10 of a probability.
    static func decades(_ probability: Double) -> Double { -log10(probability) }

    /// 2^|z|, a raw score whose tail is a power where that of |z| is exponential: for sums over windows, which are nearer
    /// to normal than values are, so that a tail fitted to |z| itself would be too cautious. |z| should be below 16 mostly.
    static func stretched(_ z: Double) -> Double { exp2(min(abs(z), 900)) }

    /// The least tail index of `stretched` scores: that of 2^|z| of a normal z at the one value in fifty where the tail
    /// begins.
    static let tailIndexOfStretched = 0.3

    /// 1 / p of a -log10 p, up to 10^30: a raw score whose tail is a power, as `ScoreHistory` takes tails to be.
    static func odds(_ significance: Double) -> Double { pow(10, min(significance, 30)) }
}
