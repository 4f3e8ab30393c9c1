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

    /// 1 / p of a -log10 p, up to 10^30: a raw score whose tail is a power, as `ScoreHistory` takes tails to be.
    static func odds(_ significance: Double) -> Double { pow(10, min(significance, 30)) }
}
