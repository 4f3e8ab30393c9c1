#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Numbers for people.
enum NumberWords {
    /// Whole numbers without a point, others as short as they are exact.
    static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    /// With so many digits after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        let unit = pow(10, Double(digits))
        let scaled = (abs(value) * unit).rounded()
        guard scaled < 9e18 else { return "\(value)" }
        let number = UInt64(scaled)
        let sign = value < 0 && number > 0 ? "-" : ""
        if digits == 0 { return sign + "\(number)" }
        let whole = number / UInt64(unit)
        let rest = "\(number % UInt64(unit))"
        return sign + "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }

    /// Four significant digits, without zeros at the end.
    static func significant(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return plain(value) }
        let digits = max(0, min(9, 3 - Int(log10(abs(value)).rounded(.down))))
        var text = fixed(value, digits)
        if text.contains(".") {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return text
    }

    /// With k, M, G, ... or m, u, n.
    static func humanized(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return plain(value) }
        var rest = value
        if abs(rest) >= 1 {
            for unit in ["", "k", "M", "G", "T", "P", "E", "Z"] {
                if abs(rest) < 1000 { return significant(rest) + unit }
                rest /= 1000
            }
            return significant(rest) + "Y"
        }
        for unit in ["", "m", "u", "n", "p", "f", "a", "z"] {
            if abs(rest) >= 1 { return significant(rest) + unit }
            rest *= 1000
        }
        return significant(rest) + "y"
    }

    /// Seconds as days, hours, minutes and seconds.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e12 else { return plain(seconds) }
        if abs(seconds) < 1 { return humanized(seconds) + "s" }
        let sign = seconds < 0 ? "-" : ""
        let whole = Int64(abs(seconds))
        if whole < 60 { return sign + significant(abs(seconds)) + "s" }
        let (days, hours, minutes, rest) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60)
        if days > 0 { return sign + "\(days)d \(hours)h \(minutes)m \(rest)s" }
        if hours > 0 { return sign + "\(hours)h \(minutes)m \(rest)s" }
        return sign + "\(minutes)m \(rest)s"
    }
}
