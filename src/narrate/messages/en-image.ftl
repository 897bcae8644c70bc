# Actions on images. One message per operation, with the same attributes as in
# en.ftl.

image_open_archive =
    .title = Open the archive
    .about =
        { $path_stdin ->
            [true] Standard input will be read once, and its files kept in a staging directory.
           *[false] The archive { $path } will be opened, and the headers of its tar read.
        }
    .did =
        { $path_stdin ->
            [true] The stream was read to its end.
           *[other] The archive is open. A tar that is not compressed is read where it is: only its headers were looked at.
        }
    .why = An image travels as a tar: the layers, a config, and a file that says which is which. docker save writes manifest.json; an OCI layout has index.json.
    .hand = The list of files shows what is in it: the layers are tars of their own.

image_read_manifests =
    .title = Read which images it has
    .about =
        { $path_stdin ->
            [true] The manifest of the stream will be read: it names the images, and for each its config and its layers.
           *[other] The manifest of { $path } will be read: it names the images, and for each its config and its layers.
        }
    .did = The images are known, with their names and the places of their layers.
    .why = A name such as app:1 is only a label on a manifest. The manifest is what says which layers belong together; everything in it is named by the hash of its content.
    .hand = One of the two commands fails: an archive has the one file or the other, and few have both.

image_read_configs =
    .title = Read the configs
    .about =
        { $path_stdin ->
            [true] The config of each image in the stream will be read.
           *[other] The config of each image in { $path } will be read.
        }
    .did = The configs are read, and their hashes are the images' ids. Each layer now has three names: that of its blob, its diff ID and its chain ID.
    .why = The config lists the diff IDs: the hashes that the layers must have when they are decompressed. The chain ID is the hash over a layer and all below it; a store unpacks a layer once for all images that share everything up to it.
    .hand = skopeo reads the config in one go.

image_take_layer =
    .title = Take in layer { $index } of { $count }
    .about =
        { $unpacked ->
            [true] The store had layer { $blob_short } when this was planned; it will be used as it is.
           *[false] Layer { $blob_short } ({ $size } bytes) will be read, hashed, stored, decompressed and unpacked, all at once.
        }
    .did =
        { $stored ->
            [true] Layer { $index } is in its place: the blob was there, and its tree now is too.
           *[false] Layer { $index } is in its place: the hash of its blob and that of the tar inside both matched, and only then did blob and tree appear in the store.
        }
    .found = Layer { $index } was in the store already: blob and tree. Nothing was read.
    .why = A layer is a tar of what one build step changed. A deletion is a file whose name begins with .wh.; overlayfs wants a character device 0/0 of that name, or, for a directory that hides everything below, the attribute trusted.overlay.opaque.
    .hand = The names that find shows are the deletion marks. For each: remove it, and mknod NAME c 0 0; for .wh..wh..opq: setfattr -n trusted.overlay.opaque -v y DIRECTORY.
    .undoing = The blob and the tree of layer { $index } will be removed, unless an image, a container or another process needs them.
    .undone = Nothing of layer { $index } is left that is not needed by something else.

image_name_images =
    .title = Name the image
    .about =
        { $names_count ->
            [0] Manifest and config will be stored, and the image entered in { $index }, without a name.
           *[other] Manifest and config will be stored, and { $names } will mean this image.
        }
    .did =
        { $names_count ->
            [0] The image is in the index. It is known by its id only.
           *[other] { $names } means this image now.
        }
    .why = This is the last step, and it is one rename: before it, nobody can see the new image; after it, it is whole. If the name meant another image until now, that one stays, without a name.
    .undoing = Manifest and config will be removed, unless the index names them.
    .undone = The index names whole images only, and nothing is left beside them.
