import Foundation
import MartletModel

/// One of numpy's array files, as far as the codec sets need it: one dimension of float64, int64 or uint8.
struct NumpyFile {
    let name: String
    let blocks: [Column]
    let count: Int

    /// Reads `path` and cuts it into columns of `blockLength` rows; bytes become bools.
    init(path: String, blockLength: Int) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard data.count > 10, data.prefix(6) == Data([0x93] + Array("NUMPY".utf8)) else {
            throw MartletError(.invalidArgument, "\(path) is not a numpy file")
        }
        let headLength = Int(data[8]) | Int(data[9]) << 8
        let head = String(decoding: data[10..<(10 + headLength)], as: UTF8.self)
        let type: ColumnType
        let width: Int
        if head.contains("'<f8'") {
            (type, width) = (.float64, 8)
        } else if head.contains("'<i8'") {
            (type, width) = (.int64, 8)
        } else if head.contains("'|u1'") {
            (type, width) = (.bool, 1)
        } else {
            throw MartletError(.invalidArgument, "\(path) holds another type: \(head)")
        }
        let body = data.dropFirst(10 + headLength)
        count = body.count / width
        name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        blocks = body.withUnsafeBytes { bytes in
            stride(from: 0, to: body.count / width, by: blockLength).map { start in
                let rows = min(blockLength, body.count / width - start)
                let slice = UnsafeRawBufferPointer(rebasing: bytes[(start * width)..<((start + rows) * width)])
                guard type == .bool else { return Column(type: type, count: rows, values: Buffer(copying: slice)) }
                var bits = BitmapBuilder(capacity: rows)
                for byte in slice { bits.append(byte != 0) }
                return Column(type: .bool, count: rows, values: bits.finish())
            }
        }
    }
}
