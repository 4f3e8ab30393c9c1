import MartletModel

/// Objects of texts as JSON.
package enum JSONText {
    /// `{"a":"1","b":"2"}`, sorted by key.
    package static func object(_ pairs: [String: String]) -> String {
        var buffer = MutableBuffer(capacity: 64)
        buffer.append(ascii: "{")
        for (place, (key, value)) in pairs.sorted(by: { $0.key < $1.key }).enumerated() {
            if place > 0 { buffer.append(ascii: ",") }
            buffer.append(jsonText: key)
            buffer.append(ascii: ":")
            buffer.append(jsonText: value)
        }
        buffer.append(ascii: "}")
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// Reads what `object` wrote; empty for anything else.
    package static func pairs(_ json: String) -> [String: String] {
        var scalars = Array(json.unicodeScalars)[...]
        guard scalars.popFirst() == "{", scalars.popLast() == "}" else { return [:] }
        var pairs: [String: String] = [:]
        while !scalars.isEmpty {
            guard let key = text(&scalars), scalars.popFirst() == ":", let value = text(&scalars) else { return [:] }
            pairs[key] = value
            if !scalars.isEmpty, scalars.popFirst() != "," { return [:] }
        }
        return pairs
    }

    private static func text(_ scalars: inout ArraySlice<Unicode.Scalar>) -> String? {
        guard scalars.popFirst() == "\"" else { return nil }
        var text = String.UnicodeScalarView()
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"": return String(text)
            case "\\":
                switch scalars.popFirst() {
                case "n": text.append("\n")
                case "r": text.append("\r")
                case "t": text.append("\t")
                case "u":
                    var digits = String.UnicodeScalarView()
                    digits.append(contentsOf: scalars.prefix(4))
                    scalars = scalars.dropFirst(4)
                    guard let code = UInt32(String(digits), radix: 16), let read = Unicode.Scalar(code) else {
                        return nil
                    }
                    text.append(read)
                case let other?: text.append(other)
                case nil: return nil
                }
            default: text.append(scalar)
            }
        }
        return nil
    }
}
