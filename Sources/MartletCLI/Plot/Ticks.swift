import Martlet
import MartletModel

/// Round numbers along an axis.
enum Ticks {
    /// Round values between `lower` and `upper`, about `count` of them and two at least.
    static func numbers(from lower: Double, to upper: Double, count: Int) -> [Double] {
        guard upper > lower, (upper - lower).isFinite else { return [lower] }
        var step = roundStep((upper - lower) / Double(max(1, count)))
        while true {
            let first = (lower / step - 1e-9).rounded(.up)
            let last = (upper / step + 1e-9).rounded(.down)
            // Beyond 2^53 steps neighbours are one number.
            guard first.magnitude < 0x1p53, last.magnitude < 0x1p53 else { return [lower, upper] }
            if last > first { return stride(from: first, through: last, by: 1).map { $0 * step } }
            step = roundStep(step / 2.1)
        }
    }

    /// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
    private static func roundStep(_ step: Double) -> Double {
        guard step > 0, step.isFinite else { return 1 }
        var power = 1.0
        while power > step { power /= 10 }
        while power * 10 <= step { power *= 10 }
        for factor in [1.0, 2, 5, 10] where power * factor >= step * (1 - 1e-9) { return power * factor }
        return power * 10
    }

    /// The labels of ticks: as many digits as tell neighbours apart, thousands as k, M, G where all are large.
    static func labels(_ ticks: [Double]) -> [String] {
        let largest = ticks.map(\.magnitude).max() ?? 0
        let (scale, suffix): (Double, String) =
            switch largest {
            case 1e15...: (1, "")
            case 1e10...: (1e9, "G")
            case 1e7...: (1e6, "M")
            case 1e4...: (1e3, "k")
            default: (1, "")
            }
        if largest >= 1e15 || (largest > 0 && largest < 1e-6) { return ticks.map { "\($0)" } }
        let step = ticks.count > 1 ? (ticks[1] - ticks[0]).magnitude / scale : 1
        var digits = 0
        var rest = step
        while digits < 9 && (rest - rest.rounded()).magnitude > 1e-6 * max(1, rest) {
            rest *= 10
            digits += 1
        }
        return ticks.map { $0 == 0 ? Figures.fixed(0, digits) : Figures.fixed($0 / scale, digits) + suffix }
    }

    private static let second: Int64 = 1_000_000_000

    /// Steps of a time axis in nanoseconds up to a week; months and years follow the calendar.
    private static let timeSteps: [Int64] = {
        var steps: [Int64] = []
        var power: Int64 = 1
        while power < second {
            steps += [power, 2 * power, 5 * power]
            power *= 10
        }
        let seconds: [Int64] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
            604_800,
        ]
        return steps + seconds.map { $0 * second }
    }()

    /// Round moments between two moments, at most `count`, with labels that fit their distance.
    static func times(from lower: Int64, to upper: Int64, count: Int) -> [(time: Int64, label: String)] {
        let span = Double(upper) - Double(lower)
        let wanted = span / Double(max(1, count))
        guard let step = timeSteps.first(where: { Double($0) >= wanted }) else {
            return months(from: lower, to: upper, count: count)
        }
        // Weeks begin on Mondays; the epoch was a Thursday.
        let phase = step == 604_800 * second ? 4 * 86_400 * second : 0
        var ticks: [(time: Int64, label: String)] = []
        var time = lower
        let remainder = (lower &- phase) % step
        let (first, overflow) = time.subtractingReportingOverflow(remainder > 0 ? remainder - step : remainder)
        if overflow { return [] }
        time = first
        while time <= upper && ticks.count <= count {
            ticks.append((time, label(time, step: step)))
            let (next, overflow) = time.addingReportingOverflow(step)
            if overflow { break }
            time = next
        }
        return ticks
    }

    private static func months(from lower: Int64, to upper: Int64, count: Int) -> [(time: Int64, label: String)] {
        let begin = CivilTime(Timestamp(nanoseconds: lower))
        let end = CivilTime(Timestamp(nanoseconds: upper))
        let span = (end.year - begin.year) * 12 + end.month - begin.month + 1
        let step = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200].first { span / $0 <= max(1, count) } ?? 1200
        var ticks: [(time: Int64, label: String)] = []
        var month = (begin.year * 12 + begin.month - 1) / step * step
        while ticks.count <= count {
            let days = CivilTime.days(year: month / 12, month: month % 12 + 1, day: 1)
            let (time, overflow) = Int64(days).multipliedReportingOverflow(by: 86_400 * second)
            if !overflow && time > upper { break }
            let number = month % 12 + 1
            let text = step >= 12 ? "\(month / 12)" : "\(month / 12)-\(number < 10 ? "0" : "")\(number)"
            if !overflow && time >= lower { ticks.append((time, text)) }
            month += step
            if month / 12 > 2262 { break }
        }
        return ticks
    }

    private static func label(_ time: Int64, step: Int64) -> String {
        var text = MutableBuffer(capacity: 32)
        let digits = step >= second ? 0 : step >= 1_000_000 ? 3 : step >= 1000 ? 6 : 9
        text.append(Timestamp(nanoseconds: time), style: .table(fractionDigits: digits))
        let full = text.text
        // 2024-05-01 12:34:56.789; midnight is worth its date.
        let clock = full.dropFirst(11)
        if step >= 86_400 * second || (step >= 60 * second && clock == "00:00:00") {
            return String(full.dropFirst(5).prefix(5))
        }
        if step >= 60 * second { return String(clock.prefix(5)) }
        return String(clock)
    }
}
