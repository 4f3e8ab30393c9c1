import MartletModel

extension FunctionRegistry {
    /// Bits of integers: `& | xor << >>` and `bit_count`; `~` stands with the regular expressions, which share it.
    mutating func registerBits() {
        let pairs: [(String, @Sendable (Int64, Int64) -> Int64)] = [
            ("&", { $0 & $1 }), ("|", { $0 | $1 }), ("xor", { $0 ^ $1 }),
            (">>", { (0..<64).contains($1) ? $0 >> $1 : 0 }),
        ]
        for (name, body) in pairs {
            register(
                ScalarDefinition(
                    name, "integer \(name) integer",
                    [
                        Overload([.integer, .integer], .int64) { (call) throws(MartletError) in
                            ColumnKernels.mapPairs(
                                call[0], call[1], type: .int64, call.validity, call.rowCount, body)
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "<<", "integer << integer",
                [
                    Overload([.integer, .integer], .int64) { (call) throws(MartletError) in
                        let values = call.lane(0, Int64.self)
                        let shifts = call.lane(1, Int64.self)
                        return try ColumnKernels.buildFixed(type: .int64, call.validity, call.rowCount) {
                            (row) throws(MartletError) -> Int64 in
                            let value = values[row]
                            let shift = shifts[row]
                            guard value >= 0, shift >= 0, shift < 63, value <= Int64.max >> shift else {
                                throw MartletError(.outOfRange, "\(value) << \(shift) is outside the range of BIGINT")
                            }
                            return value << shift
                        }
                    }
                ]))
        register(
            ScalarDefinition(
                "bit_count", "bit_count(integer)",
                [
                    Overload([.integer], .int64) { (call) throws(MartletError) in
                        ColumnKernels.mapFixed(call[0], type: .int64, rowCount: call.rowCount) {
                            (value: Int64) -> Int64 in Int64(value.nonzeroBitCount)
                        }
                    }
                ]))
    }
}
