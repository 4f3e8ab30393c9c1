import MartletModel

extension FunctionRegistry {
    /// Text. Positions and lengths count Unicode code points from 1.
    mutating func registerText() {
        registerMeasures()
        registerTransformations()
        registerTrims()
        registerParts()
        registerJoins()
        registerSearches()
    }

    /// A function of one text that gives text.
    static func mapping(
        _ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer, inout MutableBuffer) -> Void
    ) -> ScalarDefinition {
        ScalarDefinition(
            name, "\(name)(text)",
            [
                Overload([.text], .string) { (call) throws(MartletError) in
                    try ColumnKernels.mapText(call[0], rowCount: call.rowCount) {
                        (text, target) throws(MartletError) -> Bool in
                        body(text, &target)
                        return true
                    }
                }
            ])
    }

    private mutating func registerMeasures() {
        let measures: [(String, @Sendable (UnsafeRawBufferPointer) -> Int64)] = [
            ("length", { Int64(TextKernels.length($0)) }), ("len", { Int64(TextKernels.length($0)) }),
            ("char_length", { Int64(TextKernels.length($0)) }), ("character_length", { Int64(TextKernels.length($0)) }),
            ("strlen", { Int64($0.count) }), ("octet_length", { Int64($0.count) }),
            ("bit_length", { Int64($0.count) * 8 }), ("ascii", TextParts.firstScalar),
            ("unicode", TextParts.firstScalar), ("ord", TextParts.firstScalar),
        ]
        for (name, body) in measures {
            register(
                ScalarDefinition(
                    name, "\(name)(text)",
                    [
                        Overload([.text], .int64) { (call) throws(MartletError) in
                            try ColumnKernels.mapTextToFixed(call[0], type: .int64, rowCount: call.rowCount) {
                                (text) throws(MartletError) -> Int64 in body(text)
                            }
                        }
                    ]))
        }
    }

    private mutating func registerTransformations() {
        for name in ["lower", "lcase"] {
            register(Self.mapping(name) { CaseMapping.append($0, to: &$1, upper: false) })
        }
        for name in ["upper", "ucase"] {
            register(Self.mapping(name) { CaseMapping.append($0, to: &$1, upper: true) })
        }
        register(Self.mapping("reverse", TextParts.appendReversed))
        register(
            ScalarDefinition(
                "chr", "chr(code point)",
                [
                    Overload([.integer], .string) { (call) throws(MartletError) in
                        let codes = call.lane(0, Int64.self)
                        return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            guard let code = UInt32(exactly: codes[row]), let scalar = Unicode.Scalar(code) else {
                                throw MartletError(.outOfRange, "\(codes[row]) is not a Unicode code point")
                            }
                            for byte in UTF8.encode(scalar)! { target.append(byte) }
                            return true
                        }
                    }
                ]))
        for name in ["to_hex", "hex"] {
            register(
                ScalarDefinition(
                    name, "\(name)(integer)",
                    [
                        Overload([.integer], .string) { (call) throws(MartletError) in
                            let values = call.lane(0, Int64.self)
                            return ColumnKernels.buildText(call.validity, call.rowCount) { row, target in
                                let digits = String(UInt64(bitPattern: values[row]), radix: 16, uppercase: true)
                                for byte in digits.utf8 { target.append(byte) }
                            }
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "repeat", "repeat(text, count)",
                [
                    Overload([.text, .integer], .string) { (call) throws(MartletError) in
                        let counts = call.lane(1, Int64.self)
                        return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            let text = call[0].stringBytes(row)
                            let count = max(0, counts[row])
                            let total = count.multipliedReportingOverflow(by: Int64(text.count))
                            guard !total.overflow, total.partialValue <= Int64(TextParts.longest) else {
                                throw TextParts.tooLong("repeat")
                            }
                            if !text.isEmpty { for _ in 0..<count { target.append(text) } }
                            return true
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "replace", "replace(text, search, replacement)",
                [
                    Overload([.text, .text, .text], .string) { (call) throws(MartletError) in
                        try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            let start = target.byteCount
                            TextParts.appendReplaced(
                                call[0].stringBytes(row), call[1].stringBytes(row), call[2].stringBytes(row), &target)
                            if target.byteCount - start > TextParts.longest { throw TextParts.tooLong("replace") }
                            return true
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "translate", "translate(text, from, to)",
                [
                    Overload([.text, .text, .text], .string) { (call) throws(MartletError) in
                        try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            TextParts.appendTranslated(
                                call[0].stringBytes(row), call[1].stringBytes(row), call[2].stringBytes(row), &target)
                            return true
                        }
                    }
                ]))
    }

    private mutating func registerTrims() {
        let sides: [(String, Bool, Bool)] = [
            ("trim", true, true), ("btrim", true, true), ("ltrim", true, false), ("rtrim", false, true),
        ]
        for (name, left, right) in sides {
            register(
                ScalarDefinition(
                    name, "\(name)(text) or \(name)(text, characters)",
                    [
                        Overload([.text], .string) { (call) throws(MartletError) in
                            try ColumnKernels.mapText(call[0], rowCount: call.rowCount) {
                                (text, target) throws(MartletError) -> Bool in
                                target.append(TextParts.trimmed(text, of: nil, left: left, right: right))
                                return true
                            }
                        },
                        Overload([.text, .text], .string) { (call) throws(MartletError) in
                            try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                                (row, target) throws(MartletError) -> Bool in
                                target.append(
                                    TextParts.trimmed(
                                        call[0].stringBytes(row), of: call[1].stringBytes(row), left: left,
                                        right: right))
                                return true
                            }
                        },
                    ]))
        }
    }

    private mutating func registerParts() {
        for name in ["substr", "substring"] {
            register(
                ScalarDefinition(
                    name, "\(name)(text, start) or \(name)(text, start, length)",
                    [
                        Overload([.text, .integer], .string) { (call) throws(MartletError) in
                            let starts = call.lane(1, Int64.self)
                            return try Self.parts(call) { text, row in
                                TextParts.substring(text, start: starts[row], length: nil)
                            }
                        },
                        Overload([.text, .integer, .integer], .string) { (call) throws(MartletError) in
                            let starts = call.lane(1, Int64.self)
                            let lengths = call.lane(2, Int64.self)
                            return try Self.parts(call) { text, row in
                                TextParts.substring(text, start: starts[row], length: lengths[row])
                            }
                        },
                    ]))
        }
        for (name, isLeft) in [("left", true), ("right", false)] {
            register(
                ScalarDefinition(
                    name, "\(name)(text, count)",
                    [
                        Overload([.text, .integer], .string) { (call) throws(MartletError) in
                            let counts = call.lane(1, Int64.self)
                            return try Self.parts(call) { text, row in
                                TextParts.end(text, count: counts[row], isLeft: isLeft)
                            }
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "split_part", "split_part(text, separator, number)",
                [
                    Overload([.text, .text, .integer], .string) { (call) throws(MartletError) in
                        let numbers = call.lane(2, Int64.self)
                        return try Self.parts(call) { text, row in
                            TextParts.splitPart(text, by: call[1].stringBytes(row), number: numbers[row])
                        }
                    }
                ]))
        for (name, isLeft) in [("lpad", true), ("rpad", false)] {
            register(
                ScalarDefinition(
                    name, "\(name)(text, length, padding)",
                    [
                        Overload([.text, .integer, .text], .string) { (call) throws(MartletError) in
                            let lengths = call.lane(1, Int64.self)
                            return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                                (row, target) throws(MartletError) -> Bool in
                                try TextParts.appendPadded(
                                    call[0].stringBytes(row), length: lengths[row], with: call[2].stringBytes(row),
                                    isLeft: isLeft, to: &target)
                                return true
                            }
                        }
                    ]))
        }
    }

    private static func parts(
        _ call: Call, _ body: (UnsafeRawBufferPointer, Int) -> UnsafeRawBufferPointer
    ) throws(MartletError) -> Column {
        try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
            (row, target) throws(MartletError) -> Bool in
            target.append(body(call[0].stringBytes(row), row))
            return true
        }
    }

    private mutating func registerJoins() {
        register(
            ScalarDefinition(
                "||", "value || value",
                [
                    Overload([.any, .any], .string) { (call) throws(MartletError) in
                        let texts = try Self.texts(call.arguments)
                        return try ColumnKernels.buildBoundedText(call.validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            target.append(texts[0].stringBytes(row))
                            target.append(texts[1].stringBytes(row))
                            return true
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "concat", "concat(value, ...)", strict: false,
                [
                    Overload([.any], rest: .any, .string) { (call) throws(MartletError) in
                        let texts = try Self.texts(call.arguments)
                        return try ColumnKernels.buildBoundedText(.allValid, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            for text in texts where text.isValid(row) { target.append(text.stringBytes(row)) }
                            return true
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "concat_ws", "concat_ws(separator, value, ...)", strict: false,
                [
                    Overload([.text, .any], rest: .any, .string) { (call) throws(MartletError) in
                        let texts = try Self.texts(call.arguments)
                        let validity = Validity(texts[0], rowCount: call.rowCount)
                        return try ColumnKernels.buildBoundedText(validity, call.rowCount) {
                            (row, target) throws(MartletError) -> Bool in
                            var isFirst = true
                            for text in texts.dropFirst() where text.isValid(row) {
                                if !isFirst { target.append(texts[0].stringBytes(row)) }
                                target.append(text.stringBytes(row))
                                isFirst = false
                            }
                            return true
                        }
                    }
                ]))
    }

    private static func texts(_ columns: [Column]) throws(MartletError) -> [Column] {
        var result: [Column] = []
        for column in columns { result.append(try ColumnKernels.cast(column, to: .string)) }
        return result
    }

    private mutating func registerSearches() {
        typealias Test = @Sendable (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
        let starts: Test = { $0.count >= $1.count && TextKernels.compare(TextKernels.part($0, 0..<$1.count), $1) == 0 }
        let ends: Test = {
            $0.count >= $1.count
                && TextKernels.compare(TextKernels.part($0, ($0.count - $1.count)..<$0.count), $1) == 0
        }
        let tests: [(String, Test)] = [
            ("starts_with", starts), ("prefix", starts), ("^@", starts), ("ends_with", ends), ("suffix", ends),
            ("contains", { TextKernels.find($1, in: $0) != nil }),
        ]
        for (name, test) in tests {
            register(
                ScalarDefinition(
                    name, "\(name)(text, search)",
                    [
                        Overload([.text, .text], .bool) { (call) throws(MartletError) in
                            if call.constant[1] {
                                let search = call[1].stringBytes(0)
                                return ColumnKernels.mapTextToBool(call[0], call.validity, call.rowCount) {
                                    test($0, search)
                                }
                            }
                            let validity = call.validity
                            return ColumnKernels.buildBool(validity, call.rowCount) { row in
                                validity.isValid(row) && test(call[0].stringBytes(row), call[1].stringBytes(row))
                            }
                        }
                    ]))
        }
        for name in ["strpos", "instr", "position"] {
            register(
                ScalarDefinition(
                    name, "\(name)(text, search)",
                    [
                        Overload([.text, .text], .int64) { (call) throws(MartletError) in
                            try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                                (row) throws(MartletError) -> Int64 in
                                let text = call[0].stringBytes(row)
                                guard let offset = TextKernels.find(call[1].stringBytes(row), in: text) else {
                                    return 0
                                }
                                return Int64(TextKernels.length(TextKernels.part(text, 0..<offset))) + 1
                            }
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "levenshtein", "levenshtein(text, text)",
                [
                    Overload([.text, .text], .int64) { (call) throws(MartletError) in
                        try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                            (row) throws(MartletError) -> Int64 in
                            try TextParts.levenshtein(call[0].stringBytes(row), call[1].stringBytes(row))
                        }
                    }
                ]))
    }
}
