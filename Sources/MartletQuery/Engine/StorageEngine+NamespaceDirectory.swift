import MartletStorage

extension StorageEngine: NamespaceDirectory {}
