import MartletModel

extension Array where Element == UInt8 {
    /// Like `withUnsafeBytes`, with a typed error.
    func withRawBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(MartletError) -> Result
    ) throws(MartletError) -> Result {
        try withUnsafeBufferPointer { (elements) throws(MartletError) in try body(UnsafeRawBufferPointer(elements)) }
    }
}
