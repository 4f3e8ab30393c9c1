import MartletModel

extension FunctionRegistry {
    /// `coalesce`, `nullif`, `ifnull`, `if`, `typeof`.
    mutating func registerConditionals() {
        for name in ["coalesce", "ifnull"] {
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
                            return try ColumnKernels.coalesce(
                                columns, type: call.resultType, rowCount: call.rowCount)
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "nullif", "nullif(value, other)", strict: false,
                [
                    Overload([.any, .any], typed: { $0[0] ?? $0[1] ?? .int64 }) { (call) throws(MartletError) in
                        if call[0].nullCount == call.rowCount { return .nulls(call.resultType, count: call.rowCount) }
                        let differ = try ColumnKernels.isDistinct(call[0], call[1], rowCount: call.rowCount)
                        return call[0].masked(by: differ.values)
                    }
                ]))
        for name in ["if", "iff"] {
            register(
                ScalarDefinition(
                    name, "\(name)(condition, then, else)", strict: false,
                    [
                        Overload([.bool, .any, .any], typed: { ColumnKernels.commonType([$0[1], $0[2]]) }) {
                            (call) throws(MartletError) in
                            let condition = try ColumnKernels.cast(call[0], to: .bool)
                            return try ColumnKernels.select(
                                [
                                    (
                                        condition: condition,
                                        value: try ColumnKernels.cast(call[1], to: call.resultType)
                                    )
                                ], otherwise: try ColumnKernels.cast(call[2], to: call.resultType),
                                type: call.resultType, rowCount: call.rowCount)
                        }
                    ]))
        }
        register(
            ScalarDefinition(
                "typeof", "typeof(value)", strict: false,
                [
                    Overload([.any], .string) { (call) throws(MartletError) in
                        try ColumnKernels.constant(.string(call[0].type.name), type: .string, count: call.rowCount)
                    }
                ]))
    }
}
