/// How much work an encoder puts into a block, and what it optimises for.
package enum Effort: UInt8, Sendable, CaseIterable {
    /// Young segments: encodes at several hundred million values a second, decodes at memory speed.
    case hot = 0
    /// Sealed segments: entropy coding where it saves a good part of the bytes and still decodes fast.
    case sealed = 1
    /// Cold segments: the densest encoding known to this module.
    case cold = 2
}
