import MartletModel

/// A prepared `strftime` format.
struct TimeFormat {
    private enum Piece {
        case literal([UInt8])
        case field(Character, isPadded: Bool)
    }
    private let pieces: [Piece]

    private static let fields = Set<Character>("aAwudbBmyYGVgHIMpSfnzZjUWcxXeFTRs")
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// - Throws: `.invalidArgument` for an unknown field.
    init(_ format: String) throws(MartletError) {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var characters = Array(format)[...]
        while let character = characters.popFirst() {
            guard character == "%" else {
                literal += Array(character.utf8)
                continue
            }
            guard var field = characters.popFirst() else {
                throw MartletError(.invalidArgument, "the time format '\(format)' ends with %")
            }
            var isPadded = true
            if field == "-", let next = characters.popFirst() {
                isPadded = false
                field = next
            }
            if field == "%" {
                literal.append(UInt8(ascii: "%"))
                continue
            }
            guard Self.fields.contains(field) else {
                throw MartletError(.invalidArgument, "%\(field) is no field of a time format")
            }
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
            pieces.append(.field(field, isPadded: isPadded))
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        self.pieces = pieces
    }

    static func dayName(_ isoWeekday: Int) -> String { days[isoWeekday % 7] }
    static func monthName(_ month: Int) -> String { months[month - 1] }

    /// Appends a timestamp in this format.
    func append(_ time: Int64, to target: inout MutableBuffer) {
        let civil = CivilTime(nanoseconds: time)
        for piece in pieces {
            switch piece {
            case .literal(let bytes): bytes.withUnsafeBytes { target.append($0) }
            case .field(let field, let isPadded): append(field, isPadded, civil, time, &target)
            }
        }
    }

    private func append(
        _ field: Character, _ isPadded: Bool, _ civil: CivilTime, _ time: Int64, _ target: inout MutableBuffer
    ) {
        func digits(_ value: Int, _ width: Int, _ target: inout MutableBuffer) {
            TimeText.appendDigits(value, width: isPadded ? width : 1, to: &target)
        }
        func text(_ value: some StringProtocol, _ target: inout MutableBuffer) {
            for byte in value.utf8 { target.append(byte) }
        }
        let hour12 = (civil.hour + 11) % 12 + 1
        switch field {
        case "a": text(Self.dayName(civil.isoWeekday).prefix(3), &target)
        case "A": text(Self.dayName(civil.isoWeekday), &target)
        case "w": digits(civil.isoWeekday % 7, 1, &target)
        case "u": digits(civil.isoWeekday, 1, &target)
        case "d", "e": digits(civil.day, 2, &target)
        case "b": text(Self.monthName(civil.month).prefix(3), &target)
        case "B": text(Self.monthName(civil.month), &target)
        case "m": digits(civil.month, 2, &target)
        case "y": digits(civil.year % 100, 2, &target)
        case "Y": digits(civil.year, 4, &target)
        case "G": digits(civil.isoWeek.year, 4, &target)
        case "V": digits(civil.isoWeek.week, 2, &target)
        case "H": digits(civil.hour, 2, &target)
        case "I": digits(hour12, 2, &target)
        case "M": digits(civil.minute, 2, &target)
        case "p": text(civil.hour < 12 ? "AM" : "PM", &target)
        case "S": digits(civil.second, 2, &target)
        case "g": TimeText.appendDigits(civil.nanosecond / 1_000_000, width: 3, to: &target)
        case "f": TimeText.appendDigits(civil.nanosecond / 1000, width: 6, to: &target)
        case "n": TimeText.appendDigits(civil.nanosecond, width: 9, to: &target)
        case "z": text("+00", &target)
        case "Z": text("UTC", &target)
        case "j": digits(civil.dayOfYear, 3, &target)
        case "U": digits((civil.dayOfYear - 1 + 7 - civil.isoWeekday % 7) / 7, 2, &target)
        case "W": digits((civil.dayOfYear - 1 + 7 - (civil.isoWeekday - 1)) / 7, 2, &target)
        case "s": text("\(CivilTime.floorDivide(time, 1_000_000_000))", &target)
        case "F", "x", "c":
            TimeText.appendDigits(civil.year, width: 4, to: &target)
            text("-", &target)
            TimeText.appendDigits(civil.month, width: 2, to: &target)
            text("-", &target)
            TimeText.appendDigits(civil.day, width: 2, to: &target)
            if field == "c" {
                text(" ", &target)
                appendClock(civil, seconds: true, &target)
            }
        case "T", "X": appendClock(civil, seconds: true, &target)
        default: appendClock(civil, seconds: false, &target)
        }
    }

    private func appendClock(_ civil: CivilTime, seconds: Bool, _ target: inout MutableBuffer) {
        TimeText.appendDigits(civil.hour, width: 2, to: &target)
        target.append(UInt8(ascii: ":"))
        TimeText.appendDigits(civil.minute, width: 2, to: &target)
        if !seconds { return }
        target.append(UInt8(ascii: ":"))
        TimeText.appendDigits(civil.second, width: 2, to: &target)
    }
}
