# 镜像操作。每个操作一条消息，属性与 zh-CN.ftl 相同。

image_open_archive =
    .title = 打开归档
    .about =
        { $path_stdin ->
            [true] 将把标准输入读一遍，其中的文件先放进暂存目录。
           *[other] 将打开归档 { $path }，读出 tar 里每个条目的头部。
        }
    .did =
        { $path_stdin ->
            [true] 输入流已经读到末尾。
           *[other] 归档已打开。没有压缩的 tar 就地读取：刚才只看了各条目的头部。
        }
    .why = 镜像以 tar 的形式传递：若干层、一份配置，再加一个说明谁是谁的文件。docker save 写的是 manifest.json，OCI 布局用的是 index.json。
    .hand = 列出的文件就是归档的内容，其中每一层本身也是一个 tar。

image_read_manifests =
    .title = 读出其中有哪些镜像
    .about =
        { $path_stdin ->
            [true] 将读输入流里的清单：它列出镜像，以及每个镜像的配置和各层。
           *[other] 将读 { $path } 里的清单：它列出镜像，以及每个镜像的配置和各层。
        }
    .did = 有哪些镜像、叫什么名字、各层在哪里，都已清楚。
    .why = app:1 这样的名字只是贴在清单上的标签；哪些层属于同一个镜像由清单说了算。清单里的一切都以内容的哈希值命名。
    .hand = 两条命令里通常有一条会失败：归档里多半只有其中一个文件。

image_read_configs =
    .title = 读配置
    .about =
        { $path_stdin ->
            [true] 将读输入流里每个镜像的配置。
           *[other] 将读 { $path } 里每个镜像的配置。
        }
    .did = 配置已读出，它的哈希值就是镜像的 ID。现在每一层都有三个名字：blob 的摘要、diff ID 和 chain ID。
    .why = 配置里列着各层的 diff ID，也就是每一层解压之后应有的哈希值。chain ID 是这一层连同它下面所有层一起算出的哈希值：只要下面各层都相同，不同镜像就共用同一份已解开的目录树。
    .hand = skopeo 一步就能读出配置。

image_ask_registry =
    .title = 向 { $registry } 查询 { $reference }
    .about = 将向镜像仓库服务 { $registry } 索取 { $reference } 的清单。如果这个名字对应的是索引，就从中选出适合 { $platform } 的清单，再按摘要取回。
    .did = { $registry } 有 { $reference } 的清单。
    .why = 标签只是仓库服务里的一条记录，明天就可能指向别处；它所指的内容则以哈希值命名，谁都可以重新算一遍来核对。仓库服务不过是一个路径很少的网站：/v2/名字/manifests/标签 和 /v2/名字/blobs/摘要。同一个名字可以供多种机器使用，这时它对应一个索引，也就是每个平台一份清单的列表。
    .hand = 第一条命令显示名字对应的内容，第二条显示从中选出的清单。

image_fetch_config =
    .title = 取配置
    .about = 将从 { $registry } 取回 { $reference } 的清单所指的配置，并核对哈希值。
    .did = 配置已取回，它的哈希值（也就是镜像的 ID）与清单所写的一致。现在每一层都有三个名字：blob 的摘要、diff ID 和 chain ID。
    .why = 配置里写着要运行什么，还列着各层的 diff ID，也就是每一层解压之后应有的哈希值。由此就知道本地仓库已经有哪些层，那些层不必再取。
    .hand = skopeo 一步就能读出配置。

image_take_layer =
    .title = 收下第 { $index } 层（共 { $count } 层）
    .about =
        { $unpacked ->
            [true] 制定计划时仓库里已有层 { $blob_short }，将直接使用。
           *[false] 将读入层 { $blob_short }（{ $size } 字节），读取、算哈希、存储、解压、解包同时进行。
        }
    .did =
        { $stored ->
            [true] 第 { $index } 层已就位：blob 原先就在，现在目录树也有了。
           *[false] 第 { $index } 层已就位：blob 的哈希值和其中 tar 的哈希值都对得上，之后 blob 和目录树才出现在仓库里。
        }
    .found = 第 { $index } 层的 blob 和目录树本来就在仓库里，什么也没有读。
    .why = 一层就是一个 tar，装着某个构建步骤改动的内容。删除用名字以 .wh. 开头的文件表示；而 overlayfs 要的是同名的 0/0 字符设备，若整个目录要遮住下面的内容，则要给目录加上 trusted.overlay.opaque 属性。
    .hand = find 列出的就是删除标记。逐个处理：删掉标记文件，再执行 mknod 名字 c 0 0；若是 .wh..wh..opq，则执行 setfattr -n trusted.overlay.opaque -v y 目录。
    .undoing = 将删除第 { $index } 层的 blob 和目录树，除非有镜像、容器或别的进程还需要它们，或者它们已经核对无误、拉取只是断了连接。
    .undone = 第 { $index } 层除了别处还要用的以外，什么都没有留下。
    .kept = 第 { $index } 层虽然还不属于任何镜像，仍然留下：它在连接中断之前已经核对无误，下次拉取不必再取一遍。glassbox image prune 会把它清掉。

image_name_images =
    .title = 给镜像命名
    .about =
        { $names_count ->
            [0] 将存入清单和配置，并把这个没有名字的镜像登记到 { $index }。
           *[other] 将存入清单和配置，此后 { $names } 指的就是这个镜像。
        }
    .did =
        { $names_count ->
            [0] 镜像已登记到索引，只能用 ID 称呼它。
           *[other] { $names } 现在指的就是这个镜像。
        }
    .why = 这是最后一步，只是一次改名：在此之前谁也看不到新镜像，在此之后它就是完整的。如果这个名字原来指别的镜像，那个镜像会留下，只是没了名字。
    .undoing = 将删除清单和配置，除非索引里有它们的名字。
    .undone = 索引里只有完整的镜像，旁边没有留下任何东西。

image_freeze_container =
    .title = 让容器静止
    .about = 将冻结 init 为 { $pid } 的容器里的所有进程。
    .did = 容器里的进程都停住了。它们毫无察觉，只有时钟还在走。
    .why = 写到一半的文件，进了镜像也是写到一半的。freezer 能让一个控制组里的进程同时停下，而且不发送任何信号。
    .hand = 第一条命令给出它所在控制组的路径 PATH。在 cgroup v1 上，对应的文件是 freezer.state，写入的词是 FROZEN。
    .undoing = 将让 init 为 { $pid } 的容器继续运行。
    .undone = 容器在运行。

image_thaw_container =
    .title = 让容器继续运行
    .about = init 为 { $pid } 的容器里的进程将恢复运行。
    .did = 容器继续运行，就像什么都没有发生过。
    .why = 该读的已经读完：新的层是一份副本，不会再变。
    .hand = PATH 与前一步相同；在 cgroup v1 上写入的词是 THAWED。

image_write_layer =
    .title = 把改动写成一层
    .about = 将把容器写在 { $upper } 里的内容写成一个 tar，同时计算哈希值。
    .did = 这一层已作为 tar 放在暂存目录里，它的字节的哈希值就是它将来的名字。
    .why = 可写层里恰好是容器改动过的内容，此外什么也没有，所以提交只需复制这些。overlayfs 用 0/0 字符设备表示的删除，在 tar 里变成名为 .wh.名字 的文件；不透明目录则变成 .wh..wh..opq：层与层之间就是这样说明删除的。
    .hand = find 列出的设备就是删除标记。手工打的 tar 里它们还是设备；层里应当是名为 .wh.名字 的空文件。

image_import_tar =
    .title = 读入 tar
    .about =
        { $path_stdin ->
            [true] 将把标准输入读一遍：算哈希、保存、解压、再算哈希、解包。
           *[false] 将把 { $path } 读一遍：算哈希、保存、解压、再算哈希、解包。
        }
    .did = tar 已读到末尾，它的目录树在暂存目录里，没有任何内容跑到外面。
    .why = 根文件系统的 tar 本身就是一层。它没有历史，也没有配置，所以导入从一份空配置开始。
    .hand = 文件本身的哈希值是 blob 的名字，里面那个 tar 的哈希值是 diff ID。

image_store_layer =
    .title = 把这一层放进仓库
    .about = 将把这一层（{ $size } 字节）移到 { $file }。
    .did =
        { $dir ->
            [none] blob 已以自己的哈希值为名存入仓库。等第一个容器需要时才解开成目录树。
           *[other] blob 和目录树都已在仓库里。
        }
    .why = 名字就是内容的哈希值：相同的层只存一份，谁也无法悄悄改动，而移动只是一次改名。
    .hand = 文件名与 sha256sum 打印的结果一致。
    .undoing = 将删除这一层，除非有镜像、容器或别的进程还需要它。
    .undone = 这一层除了别处还要用的以外，什么都没有留下。

image_tag_image =
    .title = 给镜像起名字
    .about = 此后 { $name } 指的就是镜像 { $image_short }。
    .did =
        { $before ->
            [none] { $name } 现在指的就是这个镜像。
           *[other] { $name } 现在指的就是这个镜像。它原来指的那个镜像还在，可以用 ID 称呼。
        }
    .why = 名字只是 index.json 里的一行。没有复制任何东西，也没有碰任何一层；此前用这个名字创建的容器仍保留自己的镜像，因为它们记的是 ID。
    .hand = 每一行是一个名字和它所指的清单。
    .undoing = 将让 { $name } 恢复原来的含义。
    .undone = { $name } 的含义与原来相同。

image_remove_image =
    .title = 删除镜像或它的名字
    .about =
        { $keep ->
            [true] 将去掉 { $image_short } 的名字；有正在运行的容器，镜像本身保留。
           *[false] 将从索引中去掉 { $wanted }，再删除此后没有任何东西引用的内容。
        }
    .did =
        { $keep ->
            [true] 名字已去掉，镜像还在，可以用 ID 称呼。
           *[false] 索引里已没有它。凡是没有镜像、没有容器、也没有别的进程需要的 blob 和目录树，都已删除。
        }
    .why = 先去名字，后删内容：这样读者看到的要么是完整的镜像，要么什么也没有。与别的镜像共用的层会保留，所以腾出的空间可能比镜像小。
    .hand = 凡是不能从 index.json 直接或经由清单找到的，都不可达。
    .undoing = 删除无法撤销：内容已经没有了。
    .undone = 删除维持不变。

image_save_images =
    .title = 写出归档
    .about =
        { $path_stdin ->
            [true] 将把镜像以 { $shape } 格式写到标准输出。
           *[other] 将把镜像以 { $shape } 格式写到 { $path }。
        }
    .did =
        { $shape ->
            [docker-archive] 归档已写好。每一层都以未压缩的 tar 写入，写出的同时把它的哈希值与 diff ID 作了比对。
           *[other] 归档已写好。每个 blob 写出时又核对了一遍哈希值。
        }
    .why = 镜像不过是几个以哈希值命名的文件，加上一份说明谁是谁的清单。把它们打成 tar，就足以带到另一台机器；几个镜像共用的层只放一份。
    .hand =
        { $shape ->
            [docker] skopeo 可以就地从仓库做出其中的 OCI 布局；旁边的 manifest.json 是 docker save 另外加上的。
           *[other] skopeo 可以就地从仓库做出同样的归档。
        }

image_export_tree =
    .title = 把全部文件写成一棵树
    .about =
        { $path_stdin ->
            [true] 将把容器的联合视图作为 tar 写到标准输出。
           *[other] 将把容器的联合视图作为 tar 写到 { $path }。
        }
    .did = tar 已写好：一棵树，没有层，也没有历史。
    .why = 导出保留容器里的进程所能看到的内容，而不管它是怎么来的。被某层遮住的不在其中；卷也不在其中，因为它们是别的文件系统。
    .hand = 用同样的层可以只读地挂载出联合视图，再用 tar 打包，看到的就是容器看到的。

image_compress_layer =
    .title = 压缩第 { $index } 层（共 { $count } 层）
    .about = 层 { $blob_short }（{ $size } 字节）在仓库里是没有压缩的 tar。将用 gzip 压缩到暂存目录，同时计算哈希值。
    .did = 压缩后的层已放进暂存目录。它有自己的哈希值，仓库服务就用这个名字保存它；diff ID 是里面那个 tar 的哈希值，不变。
    .why = 配置用 diff ID 称呼层的 tar，怎样打包则写在清单里。所以同一个镜像可以压缩着传输、不压缩地存放，而镜像的 ID（配置的哈希值）始终相同。
    .hand = gzip 文件的头部可以带时间和文件名；不带这些，相同的输入就得到相同的字节。

image_push_layer =
    .title = 把第 { $index } 层（共 { $count } 层）送到 { $registry }
    .about =
        { $foreign ->
            [true] 从媒体类型看，层 { $blob_short }（{ $size } 字节）不该放进仓库服务，因此不会上传。
           *[false] 将询问 { $registry } 的 { $repository } 里有没有层 { $blob_short }（{ $size } 字节）。没有的话，就从另一个已有它的仓库挂载过来，或者上传。
        }
    .did =
        { $foreign ->
            [true] 第 { $index } 层没有上传。拉取镜像的人要从它的所有者那里取得。
           *[false] 现在 { $registry } 的 { $repository } 里有第 { $index } 层。
        }
    .found = { $registry } 的 { $repository } 里本来就有第 { $index } 层，什么也没有上传。
    .why = 先送 blob，因为清单里提到的内容若不存在，仓库服务会拒收清单。blob 以哈希值命名，所以先用一行 HEAD 请求问一问，已有的就不必再传；同一个仓库服务里的 blob 还可以借给另一个仓库，一个字节也不用传。
    .hand = 第二条命令给出 LOCATION，供第三条使用。仓库服务会对收到的内容算哈希，与摘要不符就拒收。

image_push_config =
    .title = 把配置送到 { $registry }
    .about = 将把配置 { $blob_short }（{ $size } 字节）送到 { $repository }，除非 { $registry } 已经有了。
    .did = 现在 { $registry } 的 { $repository } 里有这份配置。
    .found = { $registry } 的 { $repository } 里本来就有这份配置，什么也没有上传。
    .why = 对仓库服务来说，配置与别的 blob 没有两样；对镜像来说，配置就是它的名字：镜像的 ID 是配置的哈希值，各层的 diff ID 也列在里面。
    .hand = 所用命令与送一层时相同。

image_put_manifest =
    .title = 让 { $reference } 指向这个镜像
    .about = 将把清单 { $manifest_short } 以 { $reference } 之名送到 { $registry }。
    .did = { $registry } 收下了清单，{ $reference } 指向它。现在谁拉取这个名字，得到的就是这个镜像。
    .why = 在此之前，仓库服务里只有一些没有名字指向的 blob，早晚会被清理。清单把它们联系起来，标签也在同一个请求里移过来，所以谁也不会看到半个镜像。
    .hand = 回应头 Docker-Content-Digest 是 { $registry } 自己算出的摘要。

image_search_index =
    .title = 在 { $registry } 搜索 { $term }
    .about = 将询问 { $registry } 有哪些仓库与 { $term } 相符，最多 { $limit } 个。
    .did = { $registry } 已回答。
    .why = 镜像仓库的协议里没有搜索。Docker Hub 至今仍回答第一版协议的 /v1/search，别的仓库服务大多没有。
    .hand = 回答是 JSON，最相符的排在前面。

image_read_manifest =
    .title = 读出 { $reference } 对应的内容
    .about =
        { $all ->
            [true] 将向 { $registry } 索取 { $reference } 对应的内容，然后是其中的每份清单，或者它的配置。
           *[false] 将向 { $registry } 索取 { $reference } 对应的内容，什么也不保存。
        }
    .did = { $registry } 上的 { $reference } 对应一份清单或索引；内容已读出，并算出了摘要。
    .why = 清单是一段很短的文本：哪份配置、哪些层、各有多大。有了它，动手取之前就能决定要取什么。
    .hand = 一个请求就能得到同样的内容；摘要就是所收字节的哈希值。

image_try_credential =
    .title = 以 { $user } 登录 { $registry }
    .about = 将带着用户名 { $user } 和密码向 { $registry } 请求 /v2/。
    .did = { $registry } 接受了用户名 { $user } 和密码。
    .why = 不带用户名去问，仓库服务会在 WWW-Authenticate 头里说明要怎样问：每个请求都带用户名和密码（Basic），或者先用它们向另一台服务器换取令牌（Bearer）。无论哪一种，请求得到回答就是证明。
    .hand = curl 会询问密码。如果 401 里写的是 Bearer，其中就有发放令牌的服务器的地址。

image_keep_credential =
    .title = 保存 { $user } 的凭据
    .about = 将按 { $config } 的设定保存 { $registry } 的用户名和密码：存进这个文件，或者交给其中指定的凭据助手。
    .did = { $registry } 的凭据已保存，以后的命令凭仓库服务的名字就能找到。
    .why = Docker、podman 和 skopeo 读的是同一个文件，登录一次就都能用。文件里的密码只经过 base64 编码，并没有加密：能读这个文件的人就能得到密码。
    .hand = 键是仓库服务的主机名，auth 的值是“用户名:密码”的 base64 编码。

image_forget_credential =
    .title = 忘掉 { $registry } 的凭据
    .about = 将删除 { $config } 里为 { $registry } 保存的内容；如果有凭据助手，也从那里删除。
    .did = 没有再为 { $registry } 保存任何东西。
    .found = 原本就没有为 { $registry } 保存任何东西。
    .why = 退出登录只是本机的事：仓库服务并不知情，已经发出的令牌在过期之前依然有效。
    .hand = 这个仓库服务的条目已经不在了。

image_collect_garbage =
    .title = 删除不可达的内容
    .about = 将在 { $store } 中删除没有名字、没有容器、也没有正在运行的进程引用的 blob 和目录树。
    .did = { $store } 里剩下的内容都是可达的。
    .why = 内容是共用的，单看一个 blob 无从知道它还有没有用。所以要从所有名字、ID、容器和未完成的工作出发逐一追踪，追踪不到的就删除。在此期间新的工作要等待，因此它所依赖的内容不会消失。
    .hand = 第一条列出现有的内容，第二条列出索引里的名字；从清单再往下可以找到配置和层。
