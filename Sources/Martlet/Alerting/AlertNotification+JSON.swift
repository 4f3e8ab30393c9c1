import MartletAlerting
import MartletModel
import MartletQuery

extension AlertNotification {
    /// The notification as one line of JSON: docs/streams.md has the keys.
    public var json: String {
        var buffer = MutableBuffer(capacity: 512)
        func key(_ name: StaticString, _ buffer: inout MutableBuffer) {
            buffer.append(ascii: buffer.byteCount == 0 ? "{" : ",")
            buffer.append(ascii: "\"")
            buffer.append(literal: name)
            buffer.append(literal: "\":")
        }
        key("alert", &buffer)
        buffer.append(jsonText: alert)
        key("namespace", &buffer)
        buffer.append(jsonText: namespace)
        key("status", &buffer)
        buffer.append(jsonText: status.rawValue)
        key("severity", &buffer)
        buffer.append(jsonText: severity.rawValue)
        key("fingerprint", &buffer)
        buffer.append(jsonText: fingerprint)
        key("at", &buffer)
        buffer.append(jsonText: TimeText.format(at.nanoseconds, style: .rfc3339))
        key("active_since", &buffer)
        buffer.append(jsonText: TimeText.format(activeSince.nanoseconds, style: .rfc3339))
        if let value, value.isFinite {
            key("value", &buffer)
            buffer.append(text: "\(value)")
        }
        key("labels", &buffer)
        buffer.append(text: JSONText.object(labels))
        key("annotations", &buffer)
        buffer.append(text: JSONText.object(annotations))
        buffer.append(literal: "}\n")
        return String(decoding: buffer.bytes, as: UTF8.self)
    }
}
