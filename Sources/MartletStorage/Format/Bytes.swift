import MartletModel

extension [UInt8] {
    /// Calls `body` with the array's bytes; like `withUnsafeBytes`, with a typed error.
    func withRawBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        try withUnsafeBufferPointer { (elements) throws(MartletError) in try body(UnsafeRawBufferPointer(elements)) }
    }
}
