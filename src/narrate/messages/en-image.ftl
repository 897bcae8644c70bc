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

image_ask_registry =
    .title = Ask { $registry } for { $reference }
    .about = The registry { $registry } will be asked for the manifest of { $reference }. If the name leads to an index, the manifest for { $platform } will be chosen from it, and fetched by its digest.
    .did = { $registry } has a manifest for { $reference }.
    .why = A tag is a note in the registry that may point elsewhere tomorrow; what it points to is named by its hash, which anyone can compute again. A registry is a web server with few paths: /v2/NAME/manifests/TAG and /v2/NAME/blobs/DIGEST. One name can serve many machines: it then leads to an index, a list of manifests, one for each platform.
    .hand = The first command shows what the name leads to, the second what is chosen from it.

image_fetch_config =
    .title = Fetch the config
    .about = The config that the manifest of { $reference } names will be fetched from { $registry }, and its hash compared.
    .did = The config is here, and its hash, which is the image's id, is the one that the manifest names. Each layer now has three names: that of its blob, its diff ID and its chain ID.
    .why = The config says what to run, and lists the diff IDs: the hashes that the layers must have when they are decompressed. With them it is known which layers the store has already; those will not be fetched.
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
    .undoing = The blob and the tree of layer { $index } will be removed, unless an image, a container or another process needs them, or they are verified and a pull only lost its connection.
    .undone = Nothing of layer { $index } is left that is not needed by something else.
    .kept = Layer { $index } stays, though no image has it: it was verified before the connection failed, and the next pull need not fetch it again. glassbox image prune removes it.

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

image_freeze_container =
    .title = Let the container stand still
    .about = All processes of the container with init { $pid } will be frozen.
    .did = Its processes stand still. They do not notice; only the clock goes on.
    .why = A file that is half written would be half written in the image too. The freezer stops every process of a control group at once, and no signal is sent.
    .hand = The first command tells the PATH of its control group. On cgroup v1 there is a file freezer.state instead, and the word is FROZEN.
    .undoing = The container with init { $pid } will be let run on.
    .undone = The container runs.

image_thaw_container =
    .title = Let the container run on
    .about = The processes of the container with init { $pid } will run again.
    .did = The container runs on, as if nothing had been.
    .why = What was to be read has been read: the new layer is a copy, and does not change any more.
    .hand = PATH is that of the step before; on cgroup v1 the word is THAWED.

image_write_layer =
    .title = Write the changes as a layer
    .about = What the container wrote in { $upper } will be written as a tar, and hashed on the way.
    .did = The layer is a tar in the staging directory. The hash of its bytes will be its name.
    .why = The writable layer holds exactly what the container changed, and nothing else: so a commit copies only that. What overlayfs keeps as a character device 0/0 becomes a file .wh.NAME in the tar, and an opaque directory a file .wh..wh..opq: that is how layers tell each other of deletions.
    .hand = The devices that find lists are deletions. A tar made by hand has them as devices; a layer wants empty files .wh.NAME in their place.

image_import_tar =
    .title = Read the tar
    .about =
        { $path_stdin ->
            [true] Standard input will be read once: hashed, kept, decompressed, hashed again and unpacked.
           *[false] { $path } will be read once: hashed, kept, decompressed, hashed again and unpacked.
        }
    .did = The tar is read to its end, and its tree stands in the staging directory. Nothing of it led outside.
    .why = A tar of a root file system is a layer already. It has no history and no config: an import begins with an empty one.
    .hand = The hash of the file as it is names the blob; the hash of the tar inside is the diff ID.

image_store_layer =
    .title = Put the layer into the store
    .about = The layer ({ $size } bytes) will be moved to { $file }.
    .did =
        { $dir ->
            [none] The blob is in the store under its own hash. Its tree will be made when a container first needs it.
           *[other] Blob and tree are in the store.
        }
    .why = The name is the hash of the content. So equal layers are stored once, nothing can be changed unnoticed, and moving is one rename.
    .hand = The file's name and what sha256sum prints are the same.
    .undoing = The layer will be removed, unless an image, a container or another process needs it.
    .undone = Nothing of the layer is left that is not needed by something else.

image_tag_image =
    .title = Give the image a name
    .about = { $name } will mean the image { $image_short }.
    .did =
        { $before ->
            [none] { $name } means this image now.
           *[other] { $name } means this image now. The one that it meant before stays, known by its id.
        }
    .why = A name is one line in index.json. Nothing is copied, and no layer is touched; containers made under the old meaning keep their image, because they know its id.
    .hand = Each line is a name and the manifest that it means.
    .undoing = { $name } will get back what it meant before.
    .undone = { $name } means what it meant before.

image_remove_image =
    .title = Remove the image or its name
    .about =
        { $keep ->
            [true] The name will be taken from { $image_short }; a running container keeps the image.
           *[false] { $wanted } will be taken out of the index, and what nothing leads to then will be deleted.
        }
    .did =
        { $keep ->
            [true] The name is gone. The image stays, known by its id.
           *[false] The index no longer has it. Blobs and trees that no image, no container and no other process needs are deleted.
        }
    .why = Names go first, content after: so a reader finds a whole image or none. A layer that another image shares stays, which is why a removal may free less than the image's size.
    .hand = What is not named in index.json, directly or through a manifest, is not reachable.
    .undoing = A removal is not taken back: the content is gone.
    .undone = The removal stays.

image_save_images =
    .title = Write the archive
    .about =
        { $path_stdin ->
            [true] The images will be written to standard output, as { $shape }.
           *[other] The images will be written to { $path }, as { $shape }.
        }
    .did =
        { $shape ->
            [docker-archive] The archive is written. Every layer went in as a plain tar, whose hash was compared with its diff ID on the way out.
           *[other] The archive is written. Every blob was hashed once more on its way out.
        }
    .why = An image is a few files named by their hashes, and a list that says which is which. A tar of these is all that is needed to carry it to another machine; a layer that several images share is in it once.
    .hand =
        { $shape ->
            [docker] skopeo makes the OCI layout of it from the store in place. The file manifest.json beside it is what docker save adds.
           *[other] skopeo makes the same from the store in place.
        }

image_export_tree =
    .title = Write all files as one tree
    .about =
        { $path_stdin ->
            [true] What the container's union shows will be written to standard output as a tar.
           *[other] What the container's union shows will be written to { $path } as a tar.
        }
    .did = The tar is written: one tree, without layers, without history.
    .why = An export keeps what a process in the container would see, and forgets how it came about. What a layer hides is not in it; volumes are not in it either, because they are other file systems.
    .hand = A union can be mounted read-only from the same layers; tar then sees what the container sees.

image_compress_layer =
    .title = Compress layer { $index } of { $count }
    .about = Layer { $blob_short } ({ $size } bytes) is a plain tar in the store. It will be compressed with gzip into the staging directory, and hashed on the way.
    .did = The compressed layer is staged. It has a hash of its own, under which the registry will keep it; the diff ID, the hash of the tar inside, stays.
    .why = A layer's tar is named by its diff ID in the config; how it is packed is named in the manifest. So the same image can travel compressed and rest uncompressed: its id, the hash of the config, is the same.
    .hand = The header of a gzip file may hold a time and a name: without them, equal input gives equal bytes.

image_push_layer =
    .title = Send layer { $index } of { $count } to { $registry }
    .about =
        { $foreign ->
            [true] Layer { $blob_short } ({ $size } bytes) is not for registries, its media type says: it will not be sent.
           *[false] { $registry } will be asked for layer { $blob_short } ({ $size } bytes) in { $repository }. If it is not there, it will be mounted from another repository that has it, or sent.
        }
    .did =
        { $foreign ->
            [true] Layer { $index } was not sent. Whoever pulls the image gets it from its owner.
           *[false] { $registry } has layer { $index } in { $repository } now.
        }
    .found = { $registry } had layer { $index } in { $repository } already. Nothing was sent.
    .why = Blobs go first, because a registry refuses a manifest that names what it does not have. A blob is named by its hash: so a question of one line (HEAD) saves sending what is there, and one registry can lend a blob from one repository to another without a byte being sent.
    .hand = The second command prints a LOCATION for the third. The registry hashes what it receives, and refuses it if the digest is another.

image_push_config =
    .title = Send the config to { $registry }
    .about = The config { $blob_short } ({ $size } bytes) will be sent to { $repository }, unless { $registry } has it there.
    .did = { $registry } has the config in { $repository } now.
    .found = { $registry } had the config in { $repository } already. Nothing was sent.
    .why = To a registry the config is a blob as any other. For the image it is the name: the image's id is the hash of the config, and it lists the diff IDs of the layers.
    .hand = The commands are those of a layer.

image_put_manifest =
    .title = Let { $reference } mean the image
    .about = The manifest { $manifest_short } will be put to { $registry }, as { $reference }.
    .did = { $registry } has the manifest, and { $reference } leads to it. Whoever pulls that name now gets this image.
    .why = Until now the registry had blobs that no name led to; it would have removed them some day. The manifest binds them together, and the tag is moved in the same request: nobody ever sees half an image.
    .hand = The answer's header Docker-Content-Digest is the digest that { $registry } computed itself.

image_search_index =
    .title = Search { $registry } for { $term }
    .about = { $registry } will be asked which repositories fit { $term }; { $limit } at most.
    .did = { $registry } has answered.
    .why = The protocol of registries has no search. Docker Hub still answers a call of the first protocol, /v1/search; most other registries do not.
    .hand = The answer is JSON, most fitting first.

image_read_manifest =
    .title = Read what { $reference } leads to
    .about =
        { $all ->
            [true] { $registry } will be asked for what { $reference } leads to, and then for each manifest of it, or for its config.
           *[false] { $registry } will be asked for what { $reference } leads to. Nothing will be stored.
        }
    .did = { $registry } has a manifest or an index for { $reference }; it was read, and its digest was computed.
    .why = A manifest is a short text: which config, which layers, how large. With it one can decide what to fetch before fetching it.
    .hand = The same in one request; the digest is the hash of the bytes as they came.

image_try_credential =
    .title = Log in to { $registry } as { $user }
    .about = { $registry } will be asked for /v2/, with the name { $user } and the password.
    .did = { $registry } takes the name { $user } and the password.
    .why = Asked without a name, a registry says in a header (WWW-Authenticate) how it wants to be asked: with name and password in each request (Basic), or with a token that another server gives for them (Bearer). Either way, a request that is answered is the proof.
    .hand = curl asks for the password. A 401 with Bearer names the server that gives tokens.

image_keep_credential =
    .title = Keep the credential of { $user }
    .about = Name and password for { $registry } will be kept where { $config } says: in that file, or by a credential helper that it names.
    .did = The credential for { $registry } is kept. Later commands find it by the registry's name.
    .why = Docker, podman and skopeo read the same file, so one login serves them all. In the file the password is only encoded (base64), not encrypted: whoever can read the file has it.
    .hand = The key is the registry's host; the value of auth is base64 of NAME:PASSWORD.

image_forget_credential =
    .title = Forget the credential for { $registry }
    .about = What { $config } keeps for { $registry } will be removed, also from the credential helper, if there is one.
    .did = Nothing is kept for { $registry }.
    .found = Nothing was kept for { $registry }.
    .why = Logging out is a matter of this machine only: the registry is not told, and a token that was given out stays good until it expires.
    .hand = There is no entry for the registry left.

image_collect_garbage =
    .title = Remove what nothing leads to
    .about = In { $store }, blobs and trees that no name, no container and no living process leads to will be removed.
    .did = What is left in { $store } is reachable.
    .why = Content is shared, so nobody can tell from a blob alone whether it is needed. All names, ids, containers and unfinished work are followed; what was not reached goes. New work waits meanwhile, so nothing that it counts on can vanish.
    .hand = The first lists what there is, the second what the index names; manifests lead on to configs and layers.
