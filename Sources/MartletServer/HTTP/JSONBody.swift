import Foundation
import NIOCore

/// Reading of JSON bodies.
enum JSONBody {
    static func decode<T: Decodable>(_ type: T.Type, from body: ByteBuffer) throws -> T {
        try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }
}
