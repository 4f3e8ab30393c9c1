import MartletModel

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension FunctionRegistry {
    /// Numbers. Domain errors give NaN and infinities as IEEE 754 has them, not errors.
    mutating func registerMath() {
        registerFloatFunctions()
        registerRounding()
        registerIntegerFunctions()
        registerExtremes()
    }

    private mutating func registerFloatFunctions() {
        let unary: [(String, @Sendable (Double) -> Double)] = [
            ("sqrt", { $0.squareRoot() }), ("cbrt", { cbrt($0) }), ("exp", { exp($0) }), ("ln", { log($0) }),
            ("log10", { log10($0) }), ("log2", { log2($0) }), ("sin", { sin($0) }), ("cos", { cos($0) }),
            ("tan", { tan($0) }), ("cot", { 1 / tan($0) }), ("asin", { asin($0) }), ("acos", { acos($0) }),
            ("atan", { atan($0) }), ("sinh", { sinh($0) }), ("cosh", { cosh($0) }), ("tanh", { tanh($0) }),
            ("asinh", { asinh($0) }), ("acosh", { acosh($0) }), ("atanh", { atanh($0) }),
            ("degrees", { $0 * 180 / .pi }), ("radians", { $0 * .pi / 180 }), ("ceil", { $0.rounded(.up) }),
            ("ceiling", { $0.rounded(.up) }), ("floor", { $0.rounded(.down) }),
            ("trunc", { $0.rounded(.towardZero) }),
        ]
        for (name, body) in unary {
            register(
                ScalarDefinition(
                    name, "\(name)(number)",
                    [
                        Overload([.float], .float64) { (call) throws(MartletError) in
                            ColumnKernels.mapFixed(call[0], type: .float64, rowCount: call.rowCount, body)
                        }
                    ]))
        }
        let binary: [(String, String, @Sendable (Double, Double) -> Double)] = [
            ("pow", "base, exponent", { pow($0, $1) }), ("power", "base, exponent", { pow($0, $1) }),
            ("^", "base, exponent", { pow($0, $1) }), ("**", "base, exponent", { pow($0, $1) }),
            ("atan2", "y, x", { atan2($0, $1) }),
        ]
        for (name, forms, body) in binary {
            register(ScalarDefinition(name, "\(name)(\(forms))", [Self.pair(body)]))
        }
        register(
            ScalarDefinition(
                "log", "log(number) or log(base, number)",
                [
                    Overload([.float], .float64) { (call) throws(MartletError) in
                        ColumnKernels.mapFixed(call[0], type: .float64, rowCount: call.rowCount) {
                            (value: Double) -> Double in log10(value)
                        }
                    }, Self.pair { log10($1) / log10($0) },
                ]))
        register(
            ScalarDefinition(
                "pi", "pi()",
                [
                    Overload([], .float64) { (call) throws(MartletError) in
                        try ColumnKernels.constant(.float64(.pi), type: .float64, count: call.rowCount)
                    }
                ]))
        let tests: [(String, @Sendable (Double) -> Bool)] = [
            ("isnan", { $0.isNaN }), ("isinf", { $0.isInfinite }), ("isfinite", { $0.isFinite }),
        ]
        for (name, test) in tests {
            register(
                ScalarDefinition(
                    name, "\(name)(number)",
                    [
                        Overload([.float], .bool) { (call) throws(MartletError) in
                            let values = call.lane(0, Double.self)
                            return ColumnKernels.buildBool(call.validity, call.rowCount) { test(values[$0]) }
                        }
                    ]))
        }
    }

    private static func pair(_ body: @escaping @Sendable (Double, Double) -> Double) -> Overload {
        Overload([.float, .float], .float64) { (call) throws(MartletError) in
            ColumnKernels.mapPairs(call[0], call[1], type: .float64, call.validity, call.rowCount, body)
        }
    }

    private mutating func registerRounding() {
        register(
            ScalarDefinition(
                "round", "round(number) or round(number, digits)",
                [
                    Overload([.integer], typed: { $0[0] ?? .int64 }) { (call) throws(MartletError) in call[0] },
                    Overload([.float], .float64) { (call) throws(MartletError) in
                        ColumnKernels.mapFixed(call[0], type: .float64, rowCount: call.rowCount) {
                            (value: Double) -> Double in value.rounded(.toNearestOrAwayFromZero)
                        }
                    },
                    Overload([.integer, .integer], .int64) { (call) throws(MartletError) in
                        let values = call.lane(0, Int64.self)
                        let digits = call.lane(1, Int64.self)
                        return try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                            (row) throws(MartletError) -> Int64 in
                            guard let result = Self.round(values[row], digits: digits[row]) else {
                                throw MartletError(
                                    .outOfRange, "round(\(values[row]), \(digits[row])) is outside BIGINT")
                            }
                            return result
                        }
                    },
                    Overload([.float, .integer], .float64) { (call) throws(MartletError) in
                        let values = call.lane(0, Double.self)
                        let digits = call.lane(1, Int64.self)
                        return try ColumnKernels.buildFixed(type: .float64, call.validity, call.rowCount) {
                            (row) throws(MartletError) -> Double in Self.round(values[row], digits: digits[row])
                        }
                    },
                ]))
    }

    /// Ties of the exact binary value go away from zero, as in DuckDB: 2.675 is a little less and becomes 2.67.
    private static func round(_ value: Double, digits: Int64) -> Double {
        if !value.isFinite { return value }
        let scale = pow(10, Double(min(digits.magnitude, 400)))
        let scaled = digits < 0 ? value / scale : value * scale
        var rounded = scaled.rounded(.toNearestOrAwayFromZero)
        if digits > 0, (scaled - rounded).magnitude == 0.5 {
            // The product was rounded to a tie; its error tells on which side of the tie the exact product lies.
            let error = (-scaled).addingProduct(value, scale)
            if error != 0, (error < 0) == (value > 0) { rounded = scaled.rounded(.towardZero) }
        }
        let result = digits < 0 ? rounded * scale : rounded / scale
        if result.isFinite { return result }
        return digits < 0 ? 0 : value
    }

    private static func round(_ value: Int64, digits: Int64) -> Int64? {
        if digits >= 0 { return value }
        if digits < -18 { return 0 }
        var scale: Int128 = 1
        for _ in 0..<(-digits) { scale *= 10 }
        let half = value < 0 ? -scale / 2 : scale / 2
        return Int64(exactly: (Int128(value) + half) / scale * scale)
    }

    private mutating func registerIntegerFunctions() {
        register(
            ScalarDefinition(
                "abs", "abs(number)",
                [
                    Overload([.number], typed: { $0[0] ?? .int64 }) { (call) throws(MartletError) in
                        switch call[0].type {
                        case .float64:
                            ColumnKernels.mapFixed(call[0], type: .float64, rowCount: call.rowCount) {
                                (value: Double) -> Double in abs(value)
                            }
                        case .int64:
                            try ColumnKernels.mapChecked(call[0], type: .int64, rowCount: call.rowCount, "abs") {
                                (value: Int64) -> Int64? in value == .min ? nil : abs(value)
                            }
                        default: call[0]
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "sign", "sign(number)",
                [
                    Overload([.float], .int64) { (call) throws(MartletError) in
                        ColumnKernels.mapFixed(call[0], type: .int64, rowCount: call.rowCount) {
                            (value: Double) -> Int64 in value > 0 ? 1 : value < 0 ? -1 : 0
                        }
                    }
                ]))
        let operators: [(String, ArithmeticOperator)] = [
            ("mod", .modulo), ("fmod", .modulo), ("divide", .integerDivide),
        ]
        for (name, op) in operators {
            register(
                ScalarDefinition(
                    name, "\(name)(dividend, divisor)",
                    [
                        Overload([.number, .number], typed: { try? op.resultType($0[0], $0[1]) }) {
                            (call) throws(MartletError) in
                            try ColumnKernels.arithmetic(op, call[0], call[1], rowCount: call.rowCount)
                        }
                    ]))
        }
        let divisors: [(String, @Sendable (Int64, Int64) -> Int64?)] = [("gcd", Self.gcd), ("lcm", Self.lcm)]
        for (name, body) in divisors {
            register(
                ScalarDefinition(
                    name, "\(name)(integer, integer)",
                    [
                        Overload([.integer, .integer], .int64) { (call) throws(MartletError) in
                            let a = call.lane(0, Int64.self)
                            let b = call.lane(1, Int64.self)
                            return try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                                (row) throws(MartletError) -> Int64 in
                                if let value = body(a[row], b[row]) { return value }
                                throw MartletError(.outOfRange, "\(name)(\(a[row]), \(b[row])) is outside BIGINT")
                            }
                        }
                    ]))
        }
    }

    private static func gcd(_ a: Int64, _ b: Int64) -> Int64? {
        var x = a.magnitude
        var y = b.magnitude
        while y != 0 { (x, y) = (y, x % y) }
        return Int64(exactly: x)
    }

    private static func lcm(_ a: Int64, _ b: Int64) -> Int64? {
        guard a != 0, b != 0 else { return 0 }
        guard let divisor = gcd(a, b) else { return nil }
        let (product, overflow) = (a / divisor).multipliedReportingOverflow(by: b)
        return overflow || product == .min ? nil : abs(product)
    }

    /// `greatest` and `least` leave NULLs out.
    private mutating func registerExtremes() {
        for (name, sign) in [("greatest", 1), ("least", -1)] {
            register(
                ScalarDefinition(
                    name, "\(name)(value, ...)", strict: false,
                    [
                        Overload([.any], rest: .any, typed: { ColumnKernels.commonType($0) }) {
                            (call) throws(MartletError) in
                            var columns: [Column] = []
                            for column in call.arguments {
                                columns.append(try ColumnKernels.cast(column, to: call.resultType))
                            }
                            var choice = [Int32](repeating: -1, count: call.rowCount)
                            for (number, column) in columns.enumerated() {
                                for row in 0..<call.rowCount where column.isValid(row) {
                                    let best = Int(choice[row])
                                    let isBetter =
                                        best < 0
                                        || RowOrdering.compareValues(column, row, columns[best], row) * sign > 0
                                    if isBetter { choice[row] = Int32(number) }
                                }
                            }
                            return try ColumnKernels.choose(
                                columns, choice, type: call.resultType, rowCount: call.rowCount)
                        }
                    ]))
        }
    }
}
