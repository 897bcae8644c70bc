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
    .undoing = 将删除第 { $index } 层的 blob 和目录树，除非有镜像、容器或别的进程还需要它们。
    .undone = 第 { $index } 层除了别处还要用的以外，什么都没有留下。

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
