import MartletModel

extension FunctionRegistry {
    /// LIKE and regular expressions. A constant pattern is prepared once; others once per change from row to row.
    mutating func registerPatterns() {
        registerLike()
        registerRegexTests()
        registerRegexEdits()
    }

    private mutating func registerLike() {
        let forms: [(String, Bool, Bool)] = [
            ("like", false, false), ("~~", false, false), ("like_escape", false, false), ("ilike", true, false),
            ("~~*", true, false), ("ilike_escape", true, false), ("not_like", false, true), ("!~~", false, true),
            ("not_ilike", true, true), ("!~~*", true, true),
        ]
        for (name, ignoresCase, isNegated) in forms {
            register(
                ScalarDefinition(
                    name, "\(name)(text, pattern) or \(name)(text, pattern, escape)",
                    [
                        Overload([.text, .text], .bool) { (call) throws(MartletError) in
                            try Self.like(call, ignoresCase: ignoresCase, isNegated: isNegated)
                        },
                        Overload([.text, .text, .text], .bool) { (call) throws(MartletError) in
                            try Self.like(call, ignoresCase: ignoresCase, isNegated: isNegated)
                        },
                    ]))
        }
    }

    private static func like(_ call: Call, ignoresCase: Bool, isNegated: Bool) throws(MartletError) -> Column {
        var escape: Unicode.Scalar?
        if call.count == 3 {
            let scalars = Array(try call.constantText(2, "the escape character of LIKE").unicodeScalars)
            guard scalars.count <= 1 else {
                throw MartletError(.invalidArgument, "the escape of LIKE is one character")
            }
            escape = scalars.first
        }
        if call.constant[1] {
            let pattern = try LikePattern(
                try call.constantText(1, "the pattern"), escape: escape, ignoresCase: ignoresCase)
            return ColumnKernels.mapTextToBool(call[0], call.validity, call.rowCount) {
                pattern.matches($0) != isNegated
            }
        }
        let validity = call.validity
        var bits = BitmapBuilder(capacity: call.rowCount)
        for row in 0..<call.rowCount {
            guard validity.isValid(row) else {
                bits.append(false)
                continue
            }
            let text = String(decoding: call[1].stringBytes(row), as: UTF8.self)
            let pattern = try LikePattern(text, escape: escape, ignoresCase: ignoresCase)
            bits.append(pattern.matches(call[0].stringBytes(row)) != isNegated)
        }
        return Column(
            type: .bool, count: call.rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: bits.finish())
    }

    /// Options of the regexp functions: `i` ignores case, `c` does not, `s` lets `.` match a line feed, `m`, `n` and `p`
    /// match `^` and `$` at lines, `g` replaces all matches.
    private static func options(_ text: String) throws(MartletError) -> (flags: RegexFlags, isGlobal: Bool) {
        var flags = RegexFlags()
        var isGlobal = false
        for character in text {
            switch character {
            case "i": flags.ignoresCase = true
            case "c": flags.ignoresCase = false
            case "s": flags.dotMatchesNewline = true
            case "m", "n", "p": flags.isMultiline = true
            case "g": isGlobal = true
            default:
                throw MartletError(
                    .invalidArgument, "'\(character)' is no option of a regular expression", hint: "use i, c, s, m or g"
                )
            }
        }
        return (flags, isGlobal)
    }

    private mutating func registerRegexTests() {
        let tests: [(String, Bool, Bool, Bool)] = [
            ("regexp_matches", false, false, false), ("regexp_like", false, false, false), ("=~", false, false, false),
            ("~*", false, true, false), ("!~", false, false, true), ("!~*", false, true, true),
            ("regexp_full_match", true, false, false),
            ("~", false, false, false),
        ]
        for (name, isWhole, ignoresCase, isNegated) in tests {
            let plain = Overload([.text, .text], .bool) { (call) throws(MartletError) in
                var flags = RegexFlags()
                flags.ignoresCase = ignoresCase
                return try Self.test(call, flags, isWhole: isWhole, isNegated: isNegated)
            }
            let withOptions = Overload([.text, .text, .text], .bool) { (call) throws(MartletError) in
                let flags = try Self.options(try call.constantText(2, "the options of \(name)")).flags
                return try Self.test(call, flags, isWhole: isWhole, isNegated: isNegated)
            }
            register(
                ScalarDefinition(
                    name, "\(name)(text, pattern) or \(name)(text, pattern, options)",
                    name == "~" ? [plain, Self.bitwiseNot] : [plain, withOptions]))
        }
    }

    /// `~ integer`, which shares its name with the operator of regular expressions.
    private static let bitwiseNot = Overload([.integer], .int64) { (call) throws(MartletError) in
        ColumnKernels.mapFixed(call[0], type: .int64, rowCount: call.rowCount) { (value: Int64) -> Int64 in ~value }
    }

    private static func test(
        _ call: Call, _ flags: RegexFlags, isWhole: Bool, isNegated: Bool
    ) throws(MartletError) -> Column {
        if call.constant[1] {
            var matcher = RegexMatcher(
                try RegexProgram(try call.constantText(1, "the pattern"), flags: flags))
            return ColumnKernels.mapTextToBool(call[0], call.validity, call.rowCount) {
                matcher.matches($0, whole: isWhole) != isNegated
            }
        }
        let validity = call.validity
        var bits = BitmapBuilder(capacity: call.rowCount)
        var patterns = PatternCache(flags)
        for row in 0..<call.rowCount {
            guard validity.isValid(row) else {
                bits.append(false)
                continue
            }
            try patterns.prepare(call[1].stringBytes(row), groups: 0)
            bits.append(patterns.matcher!.matches(call[0].stringBytes(row), whole: isWhole) != isNegated)
        }
        return Column(
            type: .bool, count: call.rowCount, nullCount: validity.nullCount, validity: validity.bits,
            values: bits.finish())
    }

    private mutating func registerRegexEdits() {
        let replace = { @Sendable (call: Call) throws(MartletError) -> Column in
            let options =
                call.count == 4 ? try Self.options(try call.constantText(3, "the options")) : (RegexFlags(), false)
            var patterns = PatternCache(options.0)
            return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                (row, target) throws(MartletError) -> Bool in
                try patterns.prepare(call[1].stringBytes(row), groups: 9)
                let start = target.byteCount
                RegexEdit.appendReplaced(
                    call[0].stringBytes(row), &patterns.matcher!, call[2].stringBytes(row), isGlobal: options.1, &target
                )
                if target.byteCount - start > TextParts.longest { throw TextParts.tooLong("regexp_replace") }
                return true
            }
        }
        register(
            ScalarDefinition(
                "regexp_replace", "regexp_replace(text, pattern, replacement[, options])",
                [
                    Overload([.text, .text, .text], .string, replace),
                    Overload([.text, .text, .text, .text], .string, replace),
                ]))
        let extract = { @Sendable (call: Call) throws(MartletError) -> Column in
            let flags = call.count == 4 ? try Self.options(try call.constantText(3, "the options")).flags : RegexFlags()
            let groups: Lane<Int64>? = call.count >= 3 ? call.lane(2, Int64.self) : nil
            var patterns = PatternCache(flags)
            return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                (row, target) throws(MartletError) -> Bool in
                let group = groups?[row] ?? 0
                guard (0...99).contains(group) else {
                    throw MartletError(.outOfRange, "regexp_extract gives groups 0 to 99, not \(group)")
                }
                try patterns.prepare(call[1].stringBytes(row), groups: Int(group))
                guard Int(group) <= patterns.matcher!.program.groupCount else {
                    throw MartletError(.outOfRange, "the regular expression has no group \(group)")
                }
                let text = call[0].stringBytes(row)
                if patterns.matcher!.find(text, from: 0) != nil, let range = patterns.matcher!.range(of: Int(group)) {
                    target.append(TextKernels.part(text, range))
                }
                return true
            }
        }
        register(
            ScalarDefinition(
                "regexp_extract", "regexp_extract(text, pattern[, group[, options]])",
                [
                    Overload([.text, .text], .string, extract),
                    Overload([.text, .text, .integer], .string, extract),
                    Overload([.text, .text, .integer, .text], .string, extract),
                ]))
    }
}

/// The matcher of the pattern seen last.
struct PatternCache {
    private let flags: RegexFlags
    private var pattern: [UInt8] = []
    private var groups = -1
    var matcher: RegexMatcher?

    init(_ flags: RegexFlags) { self.flags = flags }

    mutating func prepare(_ text: UnsafeRawBufferPointer, groups: Int) throws(MartletError) {
        if matcher != nil, self.groups == groups, pattern.withUnsafeBytes({ ByteStringIndex.equal($0, text) }) {
            return
        }
        matcher = RegexMatcher(
            try RegexProgram(String(decoding: text, as: UTF8.self), flags: flags), groups: groups)
        pattern = Array(text)
        self.groups = groups
    }
}

enum RegexEdit {
    /// `text` with the first or all matches replaced; `\0` to `\9` in the replacement stand for groups.
    static func appendReplaced(
        _ text: UnsafeRawBufferPointer, _ matcher: inout RegexMatcher, _ replacement: UnsafeRawBufferPointer,
        isGlobal: Bool, _ target: inout MutableBuffer
    ) {
        var copied = 0
        var start = 0
        while start <= text.count, let range = matcher.find(text, from: start) {
            target.append(TextKernels.part(text, copied..<range.lowerBound))
            var index = 0
            while index < replacement.count {
                if replacement[index] == UInt8(ascii: "\\"), index + 1 < replacement.count {
                    let next = replacement[index + 1]
                    if TextKernels.isDigit(next) {
                        if let group = matcher.range(of: Int(next - 0x30)) {
                            target.append(TextKernels.part(text, group))
                        }
                    } else {
                        target.append(next)
                    }
                    index += 2
                } else {
                    target.append(replacement[index])
                    index += 1
                }
            }
            copied = range.upperBound
            if !isGlobal { break }
            start = range.upperBound
            if range.isEmpty {
                if start >= text.count { break }
                // An empty match: the next character is copied and the search goes on after it.
                start = TextKernels.end(ofCharacterAt: start, in: text)
                target.append(TextKernels.part(text, copied..<start))
                copied = start
            }
        }
        if copied < text.count { target.append(TextKernels.part(text, copied..<text.count)) }
    }
}
