// swift-tools-version: 6.2
import PackageDescription

// An embedding program that builds this package for `import Martlet` alone, and CI's sanitizer runs, set
// MARTLET_ENGINE_ONLY=1 and then neither resolve nor build any networking or command-line package.
let engineOnly = Context.environment["MARTLET_ENGINE_ONLY"] != nil

// CI sets MARTLET_WERROR=1 (warnings in dependencies are not ours to fail on), and MARTLET_THREAD_SANITIZER=1 where it
// runs under that sanitizer; see Guarded.swift.
let strict: [SwiftSetting] =
    (Context.environment["MARTLET_WERROR"] != nil ? [.treatAllWarnings(as: .error)] : [])
    + (Context.environment["MARTLET_THREAD_SANITIZER"] != nil ? [.define("MARTLET_THREAD_SANITIZER")] : [])

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["MartletTestSupport"], resources: resources, swiftSettings: strict)
}

let collections: [Target.Dependency] = [
    .product(name: "DequeModule", package: "swift-collections"),
    .product(name: "HeapModule", package: "swift-collections"),
]
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

// The floors of docs/architecture.md: a target lists only targets of floors below its own.
var targets: [Target] = [
    // Floor 0
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CMartletKernels"),
    // Floor 1
    module("MartletModel", []),
    // Floor 2
    module("MartletCodec", ["MartletModel", "CMartletKernels", "CLZ4", "CZstd"]),
    // Floor 3
    module("MartletStorage", ["MartletModel", "MartletCodec", "CMartletKernels"] + collections),
    // Floor 4
    module("MartletQuery", ["MartletModel", "MartletStorage"] + collections),
    module("MartletParquet", ["MartletModel", "MartletCodec", "CLZ4", "CZstd"]),
    // Floor 5
    module("MartletStream", ["MartletModel", "MartletStorage", "MartletQuery"]),
    module("MartletDetectors", ["MartletModel"]),
    // Floor 6
    module("MartletAlerting", ["MartletModel", .product(name: "Yams", package: "Yams")]),
    // Floor 7
    module(
        "Martlet",
        [
            "MartletModel", "MartletCodec", "MartletStorage", "MartletQuery", "MartletParquet", "MartletStream",
            "MartletDetectors", "MartletAlerting",
        ]),

    .executableTarget(
        name: "MartletCodecBench", dependencies: ["MartletModel", "MartletCodec"], path: "Benchmarks/Codec",
        swiftSettings: strict),
    .executableTarget(
        name: "MartletDetectorBench", dependencies: ["MartletModel", "MartletDetectors", "MartletTestSupport"],
        path: "Benchmarks/Detectors", swiftSettings: strict),
    .target(
        name: "MartletTestSupport", dependencies: ["MartletModel"], path: "Tests/Support", swiftSettings: strict),
    .executableTarget(
        name: "MartletBench", dependencies: ["Martlet"], path: "Benchmarks/Suite", swiftSettings: strict),

    // The program in the README, compiled and run by MartletTests.
    .executableTarget(
        name: "ReadmeExample", dependencies: ["Martlet"], path: "Tests/ReadmeExample", swiftSettings: strict),
    // Runs SQL for tools/differential, which compares the answers with DuckDB's.
    .executableTarget(
        name: "MartletDifferential", dependencies: ["Martlet"], path: "tools/differential/Runner",
        swiftSettings: strict),
    // Crash histories: a sample of them in MartletStorageTests, thousands by tools/tests/crash-histories.
    .target(
        name: "MartletHistories", dependencies: ["MartletModel", "MartletStorage", "MartletTestSupport"],
        path: "Tests/Histories", swiftSettings: strict),
    // The same for what stands in a namespace: a sample in MartletTests, thousands by tools/tests/stream-histories.
    .target(
        name: "MartletStreamHistories", dependencies: ["MartletModel", "Martlet", "MartletTestSupport"],
        path: "Tests/StreamHistories", swiftSettings: strict),
    .executableTarget(
        name: "MartletCrashHistories", dependencies: ["MartletHistories", "MartletStreamHistories"],
        path: "tools/histories",
        swiftSettings: strict),
    tests("MartletModelTests", ["MartletModel"]),
    tests("MartletCodecTests", ["MartletCodec", "CMartletKernels"], resources: [.copy("Golden")]),
    tests("MartletStorageTests", ["MartletStorage", "MartletHistories"], resources: [.copy("Golden")]),
    tests("MartletQueryTests", ["MartletQuery"], resources: [.copy("SQL")]),
    tests("MartletParquetTests", ["MartletParquet"], resources: [.copy("Golden")]),
    tests("MartletDetectorsTests", ["MartletDetectors"], resources: [.copy("Golden")]),
    tests("MartletAlertingTests", ["MartletAlerting"]),
    tests("MartletTests", ["Martlet", "MartletParquet", "MartletStreamHistories"], resources: [.copy("Golden")]),
]

var dependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
]

var products: [Product] = [.library(name: "Martlet", targets: ["Martlet"])]

if !engineOnly {
    dependencies += [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    ]
    products += [
        .library(name: "MartletWire", targets: ["MartletWire"]),
        .library(name: "MartletServer", targets: ["MartletServer"]),
        .executable(name: "martlet", targets: ["MartletCLI"]),
    ]
    targets += [
        // Floor 8
        module("MartletWire", ["MartletModel", "MartletCodec"] + nio),
        module(
            "MartletServer",
            ["Martlet", "MartletWire", "CZlib"] + nio + [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        // Floor 9
        .executableTarget(
            name: "MartletCLI",
            dependencies: [
                "Martlet", "MartletCodec", "MartletQuery", "MartletParquet", "MartletStorage", "MartletWire",
                "MartletServer",
                "CZlib", "CZstd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),

        tests("MartletWireTests", ["MartletWire"], resources: [.copy("Golden")]),
        tests("MartletServerTests", ["MartletServer"]),
        tests("MartletCLITests", ["MartletCLI", "MartletParquet", "CZlib", "CZstd"], resources: [.copy("Snapshots")]),
    ]
}

let package = Package(
    name: "martlet",
    platforms: [.macOS(.v15)],
    products: products,
    dependencies: dependencies,
    targets: targets,
    swiftLanguageModes: [.v6]
)
