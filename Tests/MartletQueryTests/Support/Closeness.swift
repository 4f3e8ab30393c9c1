import MartletModel

/// Whether two values are the same, floats to rounding.
func isClose(_ a: FieldValue?, _ b: FieldValue?) -> Bool {
    guard case .float64(let x)? = a, case .float64(let y)? = b else { return a == b }
    return x == y || (x.isNaN && y.isNaN) || abs(x - y) <= 1e-9 * max(abs(x), abs(y), 1)
}
