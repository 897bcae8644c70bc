# 每个操作一组。about 在动手之前说；did 在内核接受之后说；
# found 表示本来就是如此、什么也没改。undone 只描述撤销后的状态，因为可能本来就没什么可撤的。

read_image =
    .title = 读取镜像 { $reference }
    .about = 即将按名字找到 { $reference }，再读它的清单（manifest）和配置（config）。
    .did =
        { $reference } 就是镜像 { $image_short }。{ $layers ->
            [0] 清单里一层也没有。
           *[other] 清单里列出 { $layers } 层。
        }
    .why = 标签只是个名字，随时可能指向别的镜像；摘要是内容的哈希，拿着它就能核对：到手的正是这一个镜像。

unpack_layer =
    .title = 解开第 { $index } 层
    .about = 第 { $index } 层（{ $size } 字节）即将一遍完成校验、解压，解到 { $dir }。
    .did = 第 { $index } 层已解开。这 { $size } 字节的哈希与其中 tar 的哈希都对上了。
    .found = 第 { $index } 层早已解开，直接使用。
    .why = 一层就是一个 tar 包，装着构建时某一步改动的文件。它有两个哈希：一个算的是存储的文件，一个（diff ID）算的是里面的 tar，所以换一种压缩方式，层还是那一层。
    .hand = 之后还要把层里的删除标记（名字以 .wh. 开头）换成 overlayfs 的 whiteout。

use_layer =
    .group = 使用各层
    .title = 使用第 { $index } 层
    .about = 第 { $index } 层已在仓库里，即将直接使用，不再复制。
    .did =
        第 { $index } 层取自 { $dir }。{ $created_by ->
            [none] 镜像没有记载它由什么生成。
           *[other] 它由这条指令生成：{ $created_by }
        }
    .why = 层是只读的，所以任意多个容器和镜像可以共用同一棵目录树。一个容器的开销只有它自己改动的部分。

read_host_kernel =
    .title = 看看正在运行的是哪个内核
    .about = 即将向正在运行的内核询问它的版本。
    .did = 容器就运行在这个内核上，里面没有另一个内核。
    .why = 容器只是宿主机内核上的一组进程。教科书所说的 bootfs，在宿主机启动时就已经挂载、用过、卸下了。

look_for_kernel =
    .title = 在镜像里找内核
    .about =
        { $layers_count ->
            [0] 没有层可找。
           *[other] 即将在全部 { $layers_count } 层里寻找可以用来启动的东西。
        }
    .did =
        { $layers_count ->
            [0] 没有层，无处可找。
           *[other] { $layers_count } 层都找过了，找到什么见证据。
        }
    .why = 镜像装的是用户空间的文件。就算里面有个内核（有的镜像带着 /boot），在这里也不会有谁去启动它。

make_dir =
    .group = 建目录
    .title = 建目录 { $path_last }
    .about = 若 { $path } 不存在，即将建立它，权限 { $mode }。
    .did = 目录 { $path } 已备好，权限 { $mode }。
    .found = 目录 { $path } 本来就在。
    .why = 挂载点和容器自己的文件都要有个落脚处。
    .undoing = 若 { $path } 是这次运行建的，即将删掉它。
    .undone = { $path } 处没有留下这次运行建的目录。

map_layers =
    .title = 让各层归容器的用户所有
    .about = 即将为每个只读层和容器的目录各做一个转换属主的视图：里面的 0 号用户在宿主机上是另一个用户。
    .did = 每个只读层和容器的目录都有了转换属主的视图。
    .why = 各层保存的是镜像给的属主，又由所有容器共用。在这个用户命名空间里，root 在宿主机上是另一个用户，本来写不了 root 的文件。视图双向转换：这个用户看到的文件是自己的，它写下的文件存成 root 的。
    .undoing = glassbox 即将放开这些视图。
    .undone = glassbox 已不再持有各层的视图。

mount_overlay =
    .title = 把各层联合成一棵树
    .about =
        overlayfs 即将把 { $lower_count } 个只读层叠在一个可写层下面。{ $style ->
            [detached] 先做成游离的挂载，哪个命名空间里都还看不见。
           *[options] 由 init 在自己的挂载命名空间里挂载。
        }
    .did =
        overlayfs 已把 { $lower_count } 个只读层和一个可写层合成一棵树。{ $style ->
            [detached] 它暂时还没挂在任何地方。
           *[options] 它挂在 { $target }。
        }
    .why = 查找自上而下，哪一层先有这个名字就用哪一层的。第一次写下层的文件时，整个文件先复制到可写层（写时复制）；删除则在可写层放一个 whiteout。下面的层永远不变。
    .undoing = glassbox 即将放开联合挂载。
    .undone = glassbox 不再持有联合挂载；init 那里的，随它的挂载命名空间一起消失。

attach_rootfs =
    .hand = 在 shell 里只能一次挂到位：没有哪个命令能拿着一个还没挂在任何地方的挂载。
    .title = 把联合挂载接上
    .about = init 即将在自己的挂载命名空间里，把游离的联合挂载接到 { $target }。
    .did = 在 init 的挂载命名空间里，联合挂载已接到 { $target }。
    .why = 只有 init 的命名空间认得这个挂载，所以宿主机的挂载表里没有它；容器的最后一个进程结束，它也就消失了。
    .undoing = 这个挂载将随 init 的挂载命名空间一起消失。
    .undone = 这个挂载随 init 的挂载命名空间消失，或者已经消失。

create_cgroup =
    .title = 建立 cgroup{ $controllers_count ->
            [0] { "" }
           *[other] （{ $controllers }）
        }
    .about = 即将在 cgroup { $version } 的层级里建目录 { $path }。
    .did = cgroup { $path } 已建好。
    .found = cgroup { $path } 本来就在。
    .why = 命名空间管进程看得见什么，cgroup 管进程用得了多少。cgroup 文件系统里的一个目录就是一个组，目录里的文件是它的限额和计数。
    .undoing = 即将删除 cgroup { $path }。
    .undone = cgroup { $path } 不存在了。

set_limit =
    .title =
        { $limit ->
            [memory] 限制内存
            [swap] 限制交换空间
            [cpu_quota] 限制 CPU 时间
            [cpu_period] 设定 CPU 限额的周期
            [cpu_weight] 设定 CPU 时间的份额
            [cpuset_cpus] 指定可用的 CPU
            [cpuset_mems] 指定可用的内存节点
            [pids] 限制任务数
           *[controllers] 把控制器交给下级
        }
    .about = 即将向 { $file_last } 写入 { $value }。
    .did = 内核接受了写入 { $file_last } 的 { $value }。
    .found = { $file_last } 本来就是这个值。
    .why =
        { $limit ->
            [memory] 组内用量要超过这个字节数时，内核先回收它的缓存，还不够就杀掉其中一个进程。
            [swap] 不设这一项，内存到顶的组会改用交换空间，照样占下去。
            [cpu_quota] 每个周期里这个组最多运行这么多微秒，用完就等下一个周期。
            [cpu_period] 限额按周期重新计算，单位是微秒。
            [cpu_weight] 任务比 CPU 多、需要争抢时，才按权重分时间。
            [cpuset_cpus] 调度器只让组内的任务在这些 CPU 上运行。
            [cpuset_mems] 内存从这些节点分配。在 cgroup v1 里，两个 cpuset 文件都设好之前，一个任务也放不进去。
            [pids] 超过这个数，fork 就以 EAGAIN 失败：fork 炸弹炸不出自己的组。
           *[controllers] 在 cgroup v2 里，一个组只有先把控制器交给下级，才能限制下级。
        }
    .undoing = { $file_last } 里的限额随它的 cgroup 一起消失。
    .undone = 无须另做什么：{ $file_last } 里的限额属于它的 cgroup。

allow_devices =
    .title = 规定能用哪些设备
    .about =
        { $version ->
            [v1] 即将把 { $rules_count } 条设备规则写进 devices.deny 和 devices.allow。
           *[v2] 即将把 { $rules_count } 条设备规则编成 BPF 程序，装到 cgroup 上。
        }
    .did = 内核接受了这个 cgroup 的 { $rules_count } 条设备规则。
    .why = 设备文件只是一对号码，谁能造出宿主机硬盘的设备文件，谁就能读那块硬盘。所以每次 open 和 mknod，内核都要问一问 cgroup。
    .hand = { $version ->
            [v1] 每条规则写一次。
           *[v2] shell 里没有对应的命令：规则要编成 BPF 程序，systemd 和 runc 也是这样做的。
        }

clone =
    .title = 在新的命名空间里造出 init
    .about =
        { $namespaces_count ->
            [0] 一个系统调用即将造出 init 进程，不建新的命名空间。
           *[other] 一个系统调用即将造出 init 进程，连同它的 { $namespaces_count } 个命名空间：{ $namespaces }。
        }
    .did =
        { $slot_init_pid ->
            [none] init 进程已经存在。
           *[other] init 进程已经存在，宿主机看到的 pid 是 { $slot_init_pid }。
        }{ $namespaces_count ->
            [0] 它与宿主机共用所有命名空间。
           *[other] 它生来就在 { $namespaces_count } 个新的命名空间里。
        }
    .why = 内核里没有“容器”这种东西。所谓容器，就是一个有自己的命名空间、自己的根和自己的 cgroup 的进程。
    .undoing = 即将杀死 init 进程，容器里的一切随之结束。
    .undone = 容器的进程一个不剩；最后一个进程走了，命名空间也就没了。

write_id_maps =
    .title = 映射用户号和组号
    .about = 即将把用户命名空间里的号码映射到宿主机的号码。
    .did = 内核接受了两张映射表。
    .why = 用户命名空间里的 root 只在里面是 root。映射表写明它在宿主机上其实是哪个普通用户。

join_cgroup =
    .title = 加入容器的 cgroup
    .about = 即将让进程加入 { $files_count } 个 cgroup，每个层级一个。
    .did = 进程已在 { $files_count } 个层级里进入容器的 cgroup。
    .why = 子进程一出生就在父进程的 cgroup 里。趁这个进程还没有子进程就放进去，便一个也漏不掉。

unshare_cgroup =
    .title = 让自己的 cgroup 成为根
    .about = init 即将换一个新的 cgroup 命名空间，以它所在的 cgroup 为根。
    .did = init 有了自己的 cgroup 命名空间。
    .why = 这样 /proc/self/cgroup 里显示的是 /，而不是宿主机上的路径：容器不会知道自己在宿主机的哪个位置。

find_init =
    .title = 找到容器的 init
    .about = 即将从 { $state } 读出容器第一个进程的 pid，打开它的 pidfd，再核对它确实属于这个容器。
    .did =
        { $slot_init_pid ->
            [none] 已用 pidfd 握住容器的第一个进程。
           *[other] 宿主机上的进程 { $slot_init_pid } 就是容器的第一个进程，已用 pidfd 握住。
        }
    .why = pid 只是个号码，进程结束后会再发给别人；pidfd 则永远只指那一个进程。所以先打开，后核对：核对的是谁，加入的就是谁。

spawn_inside =
    .title = 在容器的 pid 命名空间里造一个进程
    .about = glassbox 即将为自己的下一个子进程选定容器的 pid 命名空间，造出这个子进程{ $cgroup ->
            [none] { "" }
           *[other] （生来就在 cgroup { $cgroup } 里）
        }，再把选择改回来。
    .did =
        { $slot_process_pid ->
            [none] 进程已经存在。
           *[other] 进程已经存在，宿主机看到的 pid 是 { $slot_process_pid }。
        }它生来就在容器的 pid 命名空间里，容器的其他部分还看不到。
    .why = 进程的 pid 一辈子不变，所在的 pid 命名空间也就一辈子不变。setns 改变的只是它的子进程出生在哪一个里。
    .undoing = 即将杀死这个进程，容器照常运行。
    .undone = 这个进程已不留痕迹。

join_namespaces =
    .title = 加入容器的命名空间
    .about =
        { $namespaces_count ->
            [0] 容器的第一个进程没有别的命名空间可加入。
           *[other] 进程即将用一次 setns 进入容器第一个进程的另外 { $namespaces_count } 个命名空间：{ $namespaces }。
        }
    .did =
        { $namespaces_count ->
            [0] 没有要加入的。
           *[other] setns 一次接受了全部。证据里列出每个命名空间的号码，旁边是容器第一个进程的：两者在同一个命名空间里，号码就相等。
        }
    .why = 一个进程属不属于某个容器，就看命名空间是否相同。进入挂载命名空间，也就有了容器的根，以及根里遮住的一切。内核先把每一个都查过，才进入第一个；用户命名空间最先查。

create_bridge =
    .title = 建立网桥 { $name }
    .about = 若没有网桥 { $name }，即将建立它，地址 { $address }/{ $prefix }。
    .did = 网桥 { $name } 已备好，地址 { $address }/{ $prefix }。
    .found = 网桥 { $name } 本来就在，直接使用。
    .why = 网桥就是软件做的交换机。容器都插在上面，网桥自己的地址就是它们的网关。
    .undoing = 若没有别人在用，即将删除网桥 { $name }。
    .undone = 网桥 { $name } 已不在，或者还有别人在用。

write_sysctl =
    .title = 设置 { $file_last }
    .about = 若 { $file } 不是 { $value }，即将写入。
    .did = { $file } 现在是 { $value }。
    .found = { $file } 本来就是 { $value }。
    .why = 不转发的内核会丢掉不是给自己的包。容器的包正是这样：从网桥进来，要从另一个接口出去。
    .undoing = 若 { $file } 是这次运行改的，又没有容器需要它，即将改回原值。
    .undone = { $file } 已是原来的值，或者还有别人需要它。

create_nat =
    .title = 建立网络的基本规则
    .about = 即将在 nftables 的 { $table } 表里，为来自 { $subnet }/{ $prefix } 的包加上地址伪装和转发的规则。
    .did = nftables 的 { $table } 表已为 { $subnet }/{ $prefix } 做地址伪装和转发。
    .found = nftables 的 { $table } 表里本来就有基本规则。
    .why = 外面没有谁知道怎么回到 { $subnet }/{ $prefix }。地址伪装给出去的包换上宿主机自己的地址，连接跟踪再把回来的包换回去。
    .undoing = 若没有别的容器需要，即将删除 { $bridge } 的基本规则。
    .undone = { $bridge } 的基本规则已不在，或者还有别人在用。

allocate_address =
    .title = 预留一个地址
    .about = 即将为这个容器预留 { $subnet }/{ $prefix } 里第一个空闲的地址。
    .did =
        { $slot_address ->
            [none] 已为这个容器预留了 { $subnet }/{ $prefix } 里的一个地址。
           *[other] 已为这个容器预留 { $slot_address }。
        }
    .why = 两个容器绝不能拿到同一个地址。租约是用 O_EXCL 建的文件，谁先谁后由文件系统裁定。
    .undoing = 即将归还地址。
    .undone = 这个容器不再占用 { $network } 的地址。

create_veth =
    .title = 给容器拉一根网线
    .about = 即将建立一对 veth：{ $host } 留在宿主机、插到 { $bridge } 上，{ $peer } 放进 init 的网络命名空间。
    .did = { $host } 已插在 { $bridge } 上，另一头是 init 的网络命名空间里的 { $peer }。
    .why = 新的网络命名空间里只有一个没启用的回环接口。veth 像一根两头的网线，一头进去的，从另一头、在另一个命名空间里出来。
    .undoing = 即将删除 veth 对 { $host }。
    .undone = 宿主机上没有接口 { $host }。

publish_port =
    .title = 发布端口 { $host_port }
    .about = 即将把宿主机的 { $protocol } 端口 { $host_port } 转到容器的端口 { $container_port }。
    .did = nftables 已把{ $host_ip_any ->
            [true] 宿主机所有地址
           *[other] { $host_ip }
        }的 { $protocol } 端口 { $host_port } 转到 { $address }:{ $container_port }。
    .why = 容器的地址在宿主机之外无人知晓。这条规则在包到达时改写目的地址（DNAT），中间没有任何进程经手。
    .undoing = 即将撤掉端口 { $host_port } 的转发。
    .undone = 没有这个容器的规则在转发端口 { $host_port }。

set_link_up =
    .title = 启用接口 { $link }
    .about = 即将启用接口 { $link }。
    .did = 接口 { $link } 已启用。
    .why =
        { $link ->
            [lo] 在新的网络命名空间里，连回环接口都是停用的：到这一步之前，127.0.0.1 不会应答。
           *[other] 停用的接口什么也不传，经过它的路由也不作数。
        }

add_address =
    .title = 给 { $link } 配地址
    .about = 即将给 { $link } 配上地址 { $address }。
    .did = { $link } 的地址是 { $address }。
    .why = 有了地址，也就有了到本子网的路由：从此能找到网桥上的邻居。

add_default_route =
    .title = 加默认路由
    .about = 子网以外的包，即将一律交给 { $via }。
    .did = 默认路由指向 { $via }。
    .why = 网关就是网桥在宿主机上的地址，再往外由宿主机的路由决定。

make_mounts_private =
    .title = 切断挂载传播
    .about = init 的命名空间里的挂载，即将不再传播到宿主机。
    .did = init 的命名空间里的挂载不再传播到宿主机。
    .why = 新的挂载命名空间是一份拷贝，而共享挂载的拷贝之间仍会互相传播。少了这一步，容器里的挂载会出现在宿主机上。

mount =
    .title = 挂载 { $target_inside }
    .about = 即将在容器的 { $target_inside } 挂载类型为 { $fstype } 的文件系统。
    .did = { $fstype } 已挂载在容器的 { $target_inside }。
    .why =
        { $role ->
            [proc] 谁挂载 /proc，里面就显示谁的 pid 命名空间的进程，所以必须在里面重新挂一次。
            [sysfs] /sys 显示设备，以及挂载它的那个网络命名空间里的接口。
            [cgroup] 容器可以在这里读到自己的限额和计数。
            [dev] 容器有自己的 /dev，只放几个无害的设备，不用宿主机的。
            [devpts] 自己的 devpts：从里面够不着宿主机的终端。
            [shm] POSIX 共享内存放在这个 tmpfs 里，随它一起消失。
            [mqueue] POSIX 消息队列属于 ipc 命名空间，这个文件系统让它们看得见。
            [volume] 卷不在联合挂载之内：写在里面的东西，删了容器也还在。
            [names] 这个文件只属于这一个容器，盖在镜像的同名文件上。
            [device] 允许容器使用的宿主机设备。
           *[other] 容器的规格里要求了它。
        }
    .undoing = 这个挂载将随 init 的挂载命名空间一起消失。
    .undone = 这个挂载随 init 的挂载命名空间消失，或者已经消失。

bind =
    .title = 把 { $role ->
            [names] { $source_last }
           *[other] { $source }
        } 绑定到 { $target_inside }
    .about = 即将让宿主机的 { $source } 也出现在容器的 { $target_inside }。
    .did = 容器的 { $target_inside } 现在就是宿主机的 { $source }。
    .why =
        { $role ->
            [volume] 卷绕过联合挂载：读写的就是宿主机上那个文件，删了容器也还在。
            [names] 主机名和地址到这时才知道，哪一层里都放不了。这个文件盖在镜像的同名文件上，镜像本身不变。
            [device] 不许造设备文件的地方，就直接绑定宿主机的设备。
            [cgroup] 容器只看到层级中属于自己的那一段。
           *[other] 绑定挂载给已有的目录树再起一个名字，什么也不复制。
        }
    .undoing = 这个挂载将随 init 的挂载命名空间一起消失。
    .undone = 这个挂载随 init 的挂载命名空间消失，或者已经消失。

make_node =
    .group = 造设备文件
    .title = 造设备文件 { $path_inside }
    .about = 即将造出{ $kind ->
            [c] 字符
           *[b] 块
        }设备 { $path_inside }（{ $major }:{ $minor }）。
    .did = 设备 { $path_inside }（{ $major }:{ $minor }）已造好。
    .found = 设备 { $path_inside } 本来就在。
    .why = 设备文件只是一对号码，内核凭它找到驱动。这几个设备不会泄露宿主机的任何东西。

make_symlink =
    .group = 建符号链接
    .title = 让 { $path_inside } 指向 { $target }
    .about = 即将建立符号链接 { $path_inside }，内容是 { $target }。
    .did = 符号链接 { $path_inside } 的内容是 { $target }。
    .found = { $path_inside } 本来就在。
    .why = 程序指望 /dev 里有这些名字，它们指向读者自己的描述符或终端。

write_file =
    .title = 写 { $path_last }
    .about = 即将在宿主机上、容器自己的目录里写 { $path }。
    .did = { $path } 已写好。
    .why = 随运行而变的东西（名字、地址）不能放进大家共用的镜像。
    .undoing = 即将删除文件 { $path }。
    .undone = 文件 { $path } 不存在了。

pivot_root =
    .title = 换根
    .about = { $new_root } 即将成为 init 的挂载命名空间的 /，旧根随后卸下。
    .did = { $new_root } 已是 init 的挂载命名空间的 /，旧根已在其中卸下。
    .why = chroot 只挪动进程的视野，root 能爬出来。pivot_root 之后，这个命名空间里根本不再挂着宿主机的目录树，想爬也无处可爬。

remount_root_readonly =
    .title = 把根设为只读
    .about = 即将把根重新挂载为只读。
    .did = 根已是只读，往里写会以 EROFS 失败。
    .why = 不该变的，误操作改不了，入侵者也改不了；要写的东西放到卷和 tmpfs 里。

mask_path =
    .group = 遮住一些路径
    .title = 遮住 { $path_inside }
    .about = 若 { $path_inside } 存在，即将用一个空的东西把它遮住。
    .did = { $path_inside } 已遮住。
    .found = { $path_inside } 不存在，或早已遮住。
    .why = /proc 和 /sys 里有些文件不受任何命名空间划分，透露的是整台宿主机的情况。

readonly_path =
    .group = 保护一些路径
    .title = 保护 { $path_inside }
    .about = 若 { $path_inside } 存在，即将设为只读。
    .did = { $path_inside } 已是只读。
    .found = { $path_inside } 不存在，或早已只读。
    .why = 在这里写会波及容器之外：改的是大家共用的内核的设置。

set_hostname =
    .title = 设置主机名
    .about = init 的 UTS 命名空间里的主机名即将设为 { $name }。
    .did = init 的 UTS 命名空间里的主机名是 { $name }。
    .why = UTS 命名空间有自己的主机名，宿主机的主机名不变。

open_terminal =
    .title = 打开终端
    .about = 即将在容器自己的 devpts 里打开一个终端，把另一端交给 glassbox。
    .did = 进程有了终端，另一端在 glassbox 手里。
    .why = 伪终端有两端。命令把一端当作屏幕和键盘，glassbox 把另一端出来的东西送到你的终端。
    .hand = `script` 和 `ssh -t` 也是这样给命令打开终端的。

set_rlimits =
    .title = 设置资源限额
    .about =
        { $limits_count ->
            [0] 没有要设的资源限额。
           *[other] 即将设置 { $limits_count } 项资源限额。
        }
    .did =
        { $limits_count ->
            [0] 本就没有要设的资源限额。
           *[other] 已设好 { $limits_count } 项资源限额。
        }
    .why = 这种限额按进程计，由子进程继承；cgroup 限制的是整个组。

set_no_new_privs =
    .title = 放弃提升特权
    .about = 即将设置 no_new_privs。
    .did = no_new_privs 已设置，再也清不掉，子进程都会继承。
    .why = 从此 execve 一个 setuid 程序或带文件权能的程序，不会多得到任何特权。

drop_bounding =
    .title = 永久丢弃权能
    .about =
        { $keep_count ->
            [0] 即将从界限集（bounding set）里丢弃所有权能。
           *[other] 即将从界限集（bounding set）里丢弃 { $keep_count } 项之外的所有权能。
        }
    .did =
        { $keep_count ->
            [0] 界限集已空。
           *[other] 界限集只剩这 { $keep_count } 项：{ $keep }。
        }
    .why = Linux 把 root 的权力拆成大约 40 项权能。不在界限集里的权能，任何 execve 都拿不回来，root 也不行。

set_user =
    .title = 变成用户 { $uid }
    .about = 进程即将变成用户 { $uid }、组 { $gid }。
    .did = 进程已是用户 { $uid }、组 { $gid }{ $groups_count ->
            [0] ，没有其他组。
           *[other] ，另属 { $groups }。
        }
    .why =
        { $uid ->
            [0] 用户 0 名义上是 root；它能做什么由权能决定，而权能在这一章里被削减。
           *[other] 命令不以 root 运行：别人的文件，里外都碰不得。
        }

set_capabilities =
    .title = 设定权能
    .about =
        { $caps_effective_count ->
            [0] 进程即将放弃所有权能。
           *[other] 进程即将只留 { $caps_effective_count } 项权能。
        }
    .did =
        { $caps_effective_count ->
            [0] 有效集已空。
           *[other] 有效集里有 { $caps_effective_count } 项权能。
        }
    .why = 只有少数权能的 root 可以绑定 80 端口、可以改文件属主，但不能加载模块、不能改时钟、不能挂载宿主机的硬盘。

load_seccomp =
    .title =
        { $profile ->
            [unconfined] 装上只询问的过滤器
           *[other] 装上系统调用过滤器
        }
    .about =
        { $profile ->
            [unconfined] 即将装上什么也不拒绝的系统调用过滤器。
           *[other] 即将装上默认的系统调用过滤器。
        }{ $told ->
            [true] 遇到可能改动层里文件的调用，它先问 glassbox。
           *[other] { "" }
        }
    .did =
        { $told ->
            [true] 过滤器已装上，监听端在 glassbox 手里：可能改动层里文件的调用和被拒绝的调用，都会告诉它。
           *[other] 过滤器已装上，再也卸不掉，子进程都会继承。
        }
    .why =
        { $profile ->
            [unconfined] 这次运行要讲出来。过滤器对这个容器什么也不拒绝，只是要当场看到它怎样改动层里的文件。
           *[other] 所有容器共用一个内核，几百个系统调用个个都可能成为攻击它的入口。过滤器拒绝普通程序用不到的那些。
        }
    .hand = shell 里没有对应的命令：过滤器是一小段 BPF 程序。`docker run --security-opt seccomp=FILE` 可以从文件读取。

exec =
    .title = 变成要运行的命令
    .about = 进程即将变成 { $argv }，工作目录 { $cwd }。
    .did = execve 成功：进程现在是 { $argv }。
    .why = execve 保留进程，换掉程序。pid、命名空间、根、cgroup 和限额都不变，所以命令一启动就处在前面搭好的一切之中。

supervise =
    .title = { $joined ->
            [true] 命令的一生
           *[false] 容器的一生
        }
    .about = glassbox 即将等待命令结束，{ $tty ->
            [true] 其间把它的终端接到你的终端。
           *[false] 其间把信号转给它。
        }
    .did =
        { $slot_exit_status ->
            [none] 命令已结束。
           *[other] 命令已结束，状态 { $slot_exit_status }。
        }
    .why =
        { $joined ->
            [true] 这条命令只是容器里的一个进程，它结束了，容器照常运行。但容器的第一个进程一结束，内核就杀死那个 pid 命名空间里其余的进程，这一个也在内。
           *[false] pid 命名空间的第一个进程就是里面的 init：它一结束，内核就杀死里面其余的进程。所以命令结束，容器也就结束。
        }

let_run =
    .title = 让命令自己运行下去
    .about = glassbox 即将放开这条命令，让它自己运行下去，没有谁再等它。
    .did = glassbox 已放开这条命令。
    .why = glassbox 结束后，宿主机的第一个进程接管这条命令，并收下它的退出状态。容器的第一个进程一结束，它也随之结束。
    .hand = 在 shell 里，用 `setsid 命令 &` 让命令自己运行下去。

read_changes =
    .title = 看看容器改了什么
    .about = 即将读取可写层 { $upper }。
    .did = 可写层已读完。
    .why = 容器写过的一切都在这一个目录里：新文件、被改文件的完整副本，以及代表删除的 whiteout。

record_exit =
    .title = 记下退出状态
    .about = 即将把退出状态写进 { $record_last }。
    .did =
        { $slot_exit_status ->
            [none] 退出已记入 { $record_last }。
           *[other] 状态 { $slot_exit_status } 已记入 { $record_last }。
        }
    .why = 结束的容器并没有消失：可写层和记录都留着，直到被删除。

remove_container =
    .title = 删除容器
    .about = 即将删除目录 { $path }，连同容器写过的一切。
    .did = 目录 { $path } 已删除。镜像的各层原封不动。
    .found = 目录 { $path } 早已不在。
    .why = 根目录之中，只有可写层是这个容器独有的。
    .undoing = 删掉的东西找不回来。
    .undone = 删掉的东西仍是删掉了。
