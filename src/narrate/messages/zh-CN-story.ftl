# 步骤之外的话：各章、容器的一生、失败，以及界面用语。

phase_image =
    .title = 镜像
    .text = 镜像就是一份层的清单加一份配置，全都以内容的哈希为名。这一章把名字对应到内容，逐层核对、解开。
phase_rootfs =
    .title = bootfs 与 rootfs
    .text = 镜像里没有内核。bootfs，也就是引导程序和内核，在宿主机启动时就已挂载、用过、卸下了；镜像带来的是 rootfs：一层层只读的文件。
phase_union =
    .title = 联合挂载
    .text = overlayfs 让所有的层看起来是一棵树，最上面再加一个空的可写层。这个容器独有的，只有这一层。
phase_cgroup =
    .title = 控制组
    .text = 它用得了多少？控制组为组内所有进程的内存、CPU 时间和任务数计数并设限。
phase_namespaces =
    .title = 命名空间
    .text = 它看得见什么？处在自己的命名空间里的进程有自己的挂载、进程、接口和名字，外面的东西连名字都叫不出来。
phase_network =
    .title = 网络
    .text = 新的网络命名空间是座孤岛。一根虚拟网线通到宿主机的网桥，再靠路由和地址转换通向外界。
phase_mounts =
    .title = 挂载
    .text = 程序离不开 /proc、/sys 和 /dev。它们不在镜像里，是内核现做的，要为这个容器一一挂上。
phase_pivot =
    .title = 新的根
    .text = 到这里为止，init 看到的还是宿主机的文件。pivot_root 让联合挂载成为它的根，并放开宿主机的根。
phase_security =
    .title = 交出权力
    .text = 进程还是 root。运行别人的程序之前，它要交出那个程序用不着的权力，而且交出去就收不回来。
phase_exec =
    .title = 命令
    .text = 一切就绪。execve 用要运行的命令替换进程的程序，进程还是那个进程。
phase_life =
    .title = 容器的一生
    .text = 从这里起，没有谁再替容器做什么：它就是个直接与内核打交道的进程，和别的进程一样。glassbox 只是等着。
phase_exit =
    .title = 留下什么
    .text = 挂载、命名空间和接口随最后一个进程消失。留下的是可写层，除非要求一并删除。

undo =
    .title = 撤销：{ $inner }

undoing_nothing = { $inner }：没有要撤的东西。
undone_nothing = { $inner }：没有什么需要撤。
found_nothing = 本来就是如此，什么也没改。

slot_init_pid = （init 的 pid，它出现了才知道）
slot_address = （届时预留到的地址）
slot_exit_status = （退出状态，结束时才知道）
slot_process_pid = （进程的 pid，它出现了才知道）
slot_process_born = （它出生的时刻，它出现了才知道）

ns_user = 用户号和组号
ns_mnt = 挂载
ns_pid = 进程号
ns_uts = 主机名
ns_ipc = 共享内存和消息队列
ns_net = 网络
ns_cgroup = cgroup 路径
ns_time = 开机以来的时钟

subject_mounts = 挂载
subject_namespaces = 命名空间
subject_cgroup = cgroup
subject_network = 网络
subject_layers = 层
subject_processes = 进程

story_linux = 运行在本机的内核上：Linux { $release }。
story_model = 这是模拟的内核：一切只发生在内存里，本机什么也不会变。
story_end = 命令的退出状态是 { $status }。
story_end_unstarted = 命令没有启动，glassbox 的退出状态是 { $status }。
story_end_action = glassbox 的退出状态是 { $status }。
story_planned = 读到的内容决定了接下来要做什么：还有 { $count } 步。
story_unpacked =
    共 { $entries } 个条目，文件内容 { $bytes } 字节；{ $whiteouts ->
        [0] 没有 whiteout
       *[other] { $whiteouts } 个 whiteout，已换成 overlayfs 的形式
    }{ $opaque ->
        [0] 。
       *[other] ，另有 { $opaque } 个目录遮住下面各层的内容。
    }
story_more_arguments = ……还有 { $count } 个
story_group = { $total } 个里做好了 { $count } 个：{ $names }
story_group_found = { $total } 个里有 { $count } 个无须再做：{ $names }
list_separator = 、
story_counted_calls = 另有只计次数的调用：{ $calls }
story_more_calls = ……还有 { $count } 个调用
story_more_facts = ……还有 { $count } 条证据
story_rollback = 现在把搭好的东西撤掉，最后做的最先撤。
story_failed_step = { $step } 没有做成：{ $what }
story_quiet = 另有 { $count } 步没有要撤的东西。
story_not_undone = { $step } 未能撤销：{ $what }
story_chapter = { $number }/{ $total }

label_isolated = 隔开
label_why = 为什么
label_about = 将要
label_done = 已完成
label_call = 调用
label_seen = 看到
label_before = 之前
label_after = 之后
label_hand = 手动做
label_man = 手册
label_lesson = 课程
label_failed = 失败
label_hint = 办法
label_undoing = 撤销
label_earlier = 之前
label_held = 拦住
label_life = 容器

diff_same = 没有变化
time_micros = { $n } 微秒
time_millis = { $n } 毫秒
time_seconds = { $n } 秒

actor_runtime = glassbox
actor_init = init
actor_process = 进程

prompt_about = 接下来是第 { $number } 步，共 { $total } 步：
prompt_next = 下一步
prompt_continue = 一直走
prompt_break = 设断点
prompt_delete = 删断点
prompt_held = 一个进程停在它的系统调用之前，n 让它继续。
held_why =
    进程发起了系统调用，{ $kernel ->
        [model] 模型内核
       *[linux] 过滤器
    }先来问 glassbox。现在各层里的样子就是调用之前的样子；如果调用改了什么，之后可写层里会多出副本或 whiteout，下面的层不变。
prompt_inspect = 查看
prompt_why = 为什么
prompt_shell = 进入 shell
prompt_quit = 撤销并退出
prompt_unknown = 这里没有命令 { $input }。
prompt_empty = 还什么都没有。

table_number = 序号
table_step = 步骤
table_actor = 谁
table_what = 做什么
table_source = 读自
table_key = 对象
table_value = 值
plan_summary = 共 { $count } 步，一步也没做。
