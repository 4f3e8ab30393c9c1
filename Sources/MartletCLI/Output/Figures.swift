/// Numbers as people read them.
enum Figures {
    /// `1,234,567`.
    static func grouped(_ number: Int) -> String {
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `12.3 MB`, in powers of ten.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(count) B" : "\(fixed(value, 1)) \(unit)" }
            value /= 1000
        }
        return "\(fixed(value, 1)) TB"
    }

    /// A number with so many digits after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((value * scale).rounded())
        let whole = scaled.magnitude / UInt64(scale)
        var fraction = String(scaled.magnitude % UInt64(scale))
        while fraction.count < digits { fraction = "0" + fraction }
        return (scaled < 0 ? "-" : "") + String(whole) + (digits > 0 ? "." + fraction : "")
    }

    /// `[######..................] 25 %  `, for progress lines.
    static func bar(_ share: Double) -> String {
        let share = max(0, min(1, share))
        let width = 24
        let full = Int(share * Double(width))
        return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: width - full)
            + "] \(Int(share * 100)) %  "
    }

    /// `850 ms`, `3.2 s`, `2 min 05 s`.
    static func duration(_ seconds: Double) -> String {
        if seconds < 1 { return "\(fixed(seconds * 1000, seconds < 0.01 ? 2 : 0)) ms" }
        if seconds < 60 { return "\(fixed(seconds, 1)) s" }
        let whole = Int(seconds)
        return "\(whole / 60) min \(whole % 60 < 10 ? "0" : "")\(whole % 60) s"
    }
}
