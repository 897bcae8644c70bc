# 全屏步进器：窗格、按键与提示。

stepper_pane_plan = 计划
stepper_pane_story = 讲解
stepper_pane_calls = 系统调用
stepper_pane_evidence = 证据
stepper_pane_layers = 层
stepper_pane_namespaces = 命名空间
stepper_pane_network = 网络
stepper_pane_cgroup = 控制组
stepper_pane_processes = 进程

stepper_topic_steps = 步骤
stepper_topic_layers = 层
stepper_topic_namespaces = 命名空间
stepper_topic_mounts = 挂载
stepper_topic_network = 网络
stepper_topic_cgroup = 控制组
stepper_topic_processes = 进程

stepper_place_live = 等待中
stepper_place_failed = 失败
stepper_place_held = 已拦住
stepper_place_life = 已发生
stepper_place_after = 已完成，逐条回看
stepper_place_past = 过去
stepper_place_over = 已结束
stepper_place_recording = 录制
stepper_where = 第 { $number }/{ $total } 步 { $step }
stepper_event = 事件 { $event }/{ $events }
stepper_model = 模型内核
stepper_too_small = 屏幕太小。

stepper_no_step = 还没有步骤。
stepper_undo_calls = 撤销时的调用：
stepper_undo_evidence = 撤销之后：
stepper_calls_ahead = 还没有发出系统调用。
stepper_calls_none = 这一步没有系统调用。
stepper_evidence_ahead = 还没有读取任何内容。
stepper_evidence_none = 没有读取任何内容。

stepper_union_root = 联合挂载：容器的 /
stepper_union_attached = 联合挂载，已接入 init 的挂载树
stepper_union_detached = 联合挂载，尚未接入
stepper_writable =
    可写层：{ $entries ->
        [0] 空
       *[other] { $entries } 项
    }{ $copied ->
        [0] { "" }
       *[other] ，其中 { $copied } 项由写时复制得来{ $bytes }
    }
stepper_writable_removed = 可写层：已删除
stepper_more = …… 之前还有 { $count } 项
stepper_added = 新建
stepper_copied = 已复制上来
stepper_whiteout = 已遮住
stepper_opaque = 遮住下层内容
stepper_redirect = 已改名
stepper_layer = 第 { $index } 层
stepper_entries = { $count } 项
stepper_held_here = { $call } 之前
stepper_writable_shared = 可写层：这条命令在其中的改动
stepper_layers_none = 还没有层。

stepper_namespaces_none = 容器还没有进程，也就没有自己的命名空间。
stepper_namespaces_ended = 已随最后一个进程消失。
stepper_ns_own = 自有
stepper_ns_gone = 已消失
stepper_ns_shared = 与宿主机共用
stepper_ns_host = （宿主机 { $inode }）
stepper_hostname = 容器内的主机名：{ $name }

stepper_network_none = 还没有网络。
stepper_net_own = 有自己的网络命名空间
stepper_net_shared = 使用宿主机的网络
stepper_net_ended = 命名空间已消失，成对的网卡也随之消失
stepper_net_inside = 容器内
stepper_net_lease = 已预留
stepper_net_link = 网卡
stepper_net_veth = 网卡对
stepper_net_bridge = 网桥
stepper_net_route = 路由
stepper_net_port = 端口
stepper_net_rule = 规则

stepper_cgroup_none = 没有控制组。
stepper_cgroup_of_container = 就是容器的控制组，由它的 run 建立。
stepper_cgroup_joined = init 在其中
stepper_cgroup_empty = 其中没有进程
stepper_cgroup_devices = 只允许使用列出的设备
stepper_cgroup_usage = 最近一次读到的用量：
stepper_cgroup_now = 现在的用量：

stepper_processes_none = 还没有进程。
stepper_outside = 宿主机上
stepper_inside = 容器内
stepper_preparing = 准备中
stepper_running = 运行中
stepper_zombie = 僵尸
stepper_exited = 已退出，状态 { $code }
stepper_killed = 被 { $signal } 终止
stepper_ended = 已结束
stepper_processes_ended = 另有 { $count } 个已结束。

stepper_title_inspect = 内核现在的回答
stepper_title_why = 为什么
stepper_title_hand = 手工做法
stepper_title_diff = 与上一步相比的变化
stepper_title_diff_mark = 与标记处相比的变化
stepper_title_breaks = 断点
stepper_title_help = 帮助
stepper_title_quit = 退出？

stepper_help_how = 在这里按任意键，会说明该键的用途。按 Esc 关闭。只是查看，不会影响运行。
stepper_help_signs = 计划中的符号：· 尚未进行，> 即将进行，✓ 已完成，= 已完成且无需改动，✗ 失败，< 即将撤销，↶ 已撤销，! 未能撤销，● 断点。系统调用前的 * 表示它改变了什么。
stepper_hand_none = 没有对应的命令。
stepper_hand_copied = 命令已送到剪贴板（需要终端支持 OSC 52）。按 Y 在普通终端上显示。
stepper_changes_none = 没有变化。
stepper_quit_question = 运行到此为止，已做的一切都会撤销。按 y 退出，按其他键留下。
stepper_breaks_none = 没有断点。
stepper_breaks_how = 按 B 设置断点：阶段、步骤、操作、exec、fail，或容器里发生的事，如 copy-up、whiteout、forked。用 :delete 取消断点。
stepper_ask_break = 断点设在：

stepper_at_present = 这里就是现在：按 n 执行这一步。
stepper_at_end = 记录到此为止。
stepper_at_start = 这里是开头。
stepper_marked = 已标记。按 d 查看与此处相比的变化。
stepper_until_what = 请先用方向键选中一个尚未进行的步骤，再按 u。
stepper_until_past = 这一步不在前面：用 p 和 g 往回看。
stepper_step_unknown = 还没有到过步骤 { $what }。
stepper_break_set = 断点：{ $what }
stepper_break_gone = 已取消断点：{ $what }
stepper_break_unset = 没有断点 { $what }
stepper_break_unknown = 没有名为 { $what } 的阶段、步骤、操作或事件。
stepper_breaks_cleared = 已取消全部断点。
stepper_not_found = 没有找到 { $what }。
stepper_no_shell = 这是记录下来的内容，没有可以打开 shell 的容器。
stepper_no_kernel = 这是记录下来的内容，没有内核可问。各窗格显示的就是记录。
stepper_no_model_shell = 模型内核里没有可以打开的 shell。请按 i 查看。
stepper_shell_failed = 未能完成：{ $what }
stepper_command_unknown = 没有命令 { $what }。按 ? 列出按键。
stepper_command_ambiguous = 可能是：{ $what }
stepper_subject_unknown = 不能查看 { $what }。可以查看 mounts、namespaces、cgroup、network、layers、processes。
stepper_key_unknown = 没有按键 { $what }。
stepper_wait_enter = -- { $status ->
        [none] 终端刚才归容器使用。
       *[other] 命令已结束，状态 { $status }。
    }按回车返回步进器。 --
stepper_held = 按 n 放行，按 i 问内核。进程被拦在对 { $path } 的 { $call } 之前；现在什么都还没有变。
stepper_life = 容器里刚刚发生了这件事。按 n 继续运行。
stepper_failed_here = 这一步失败了。还没有撤销任何东西：按 n 开始撤销。
stepper_rolled_back = 已全部撤销。按 n 逐步查看撤销过程；按 q 离开。
stepper_over = 运行已结束。按 p 往回看；按 q 离开。
stepper_wait_plain = -- 按回车返回步进器。 --

# 变化列表中的词，对应状态图里的英文词。
stepper_word_about = 即将进行
stepper_word_done = 已完成
stepper_word_found = 已完成，无需改动
stepper_word_failed = 失败
stepper_word_undoing = 正在撤销
stepper_word_undone = 已撤销
stepper_word_left = 未能撤销
stepper_word_added = 新建
stepper_word_copied = 已复制上来
stepper_word_whiteout = 已遮住
stepper_word_opaque = 遮住下层内容
stepper_word_redirect = 已改名
stepper_word_removed = 已删除
stepper_word_own = 自有
stepper_word_shared = 与宿主机共用
stepper_word_ended = 已消失
stepper_word_root = 根目录 /
stepper_word_attached = 已接入
stepper_word_detached = 已挂载，尚未接入
stepper_word_rule = 规则
stepper_word_layer = 层
stepper_word_writable = 可写层
stepper_word_union = 联合挂载
stepper_word_hostname = 主机名
stepper_word_bridge = 网桥
stepper_word_veth = 网卡对
stepper_word_reserved = 已预留的地址
stepper_word_address = 地址：
stepper_word_link = 网卡
stepper_word_route = 路由
stepper_word_port = 端口
stepper_word_group = 控制组
stepper_word_pid = 进程

stepper_key_next = 执行这一步
    .hint = 下一步
    .more = 执行已预告的这一步，并在下一步之前停下。在过去、在录制的记录里、在运行结束之后，则跳到记录中的下一步。回车和空格键作用相同。
stepper_key_step = 进入系统调用
    .hint = 进入
    .more = 执行这一步，然后逐个显示事件：每个系统调用及其结果、每条证据。此时内核已经全部做完；停下来的只是显示。
stepper_key_finish = 完成本阶段
    .hint = 完成
    .more = 一直执行到下一阶段的第一步；遇到断点或失败则提前停下。
stepper_key_continue = 运行到断点
    .hint = 继续
    .more = 一直执行到下一个断点或结束。失败从一开始就是断点；用 :delete fail 可以取消。
stepper_key_until = 运行到选中的步骤
    .hint = 到此
    .more = 用方向键或鼠标在计划中选中一步，再按 u：在它之前的步骤都会执行。也可以用 :until 步骤名。
stepper_key_break = 在这一步设断点
    .hint = 断点
    .more = 在选中的步骤设置断点，或取消断点。
stepper_key_break_on = 断点设在……
    .hint = 断点条件
    .more = 询问在哪里停下：阶段（network）、步骤（pivot.pivot-root）、操作（mount）、exec、fail，或容器里发生的事：copy-up、whiteout、opaque、created、forked、executed、ended、refused、oom-killed。遇到 copy-up 时，进程会被拦在系统调用之前。
stepper_key_back = 后退一步
    .hint = 后退
    .more = 显示前一步时的状态。对正在进行的运行，这只是回看：不会撤销任何东西。按 G 回到现在。
stepper_key_forward = 在过去中前进
    .hint = 前进
    .more = 在已经发生的事情里前进一步，绝不执行新的步骤。
stepper_key_back_one = 后退一个事件
    .hint = 退一事件
    .more = 后退一个事件，例如在一步的各个系统调用之间。
stepper_key_first = 回到第一步
    .hint = 开头
    .more = 显示第一步之前的状态。
stepper_key_present = 回到现在
    .hint = 现在
    .more = 回到运行等待的地方；在录制的记录里则是末尾。
stepper_key_mark = 标记此刻
    .hint = 标记
    .more = 之后按 d 会显示与此刻相比的变化。
stepper_key_diff = 有什么变化
    .hint = 变化
    .more = 把当前显示的状态与标记处相比；没有标记时与上一步相比。
stepper_key_inspect = 询问内核
    .hint = 查看
    .more = 从内核读取此刻的挂载、命名空间、控制组、网络、层和进程。用 :inspect network 只读其中一项。
stepper_key_why = 为什么
    .hint = 原因
    .more = 本阶段与这一步的用处、手册页、相关课程。
stepper_key_hand = 手工做法
    .hint = 手工
    .more = 显示完成这一步的命令，并送到剪贴板。
stepper_key_plain = 在普通终端上显示手工做法
    .hint = 普通显示
    .more = 离开步进器的画面，完整地、不带边框地显示这些命令，便于用鼠标选取。
stepper_key_shell = 容器内的 shell
    .hint = shell
    .more = 在尚未建好的容器里打开 shell：进入已有的命名空间，根目录就是 init 此刻的根。输入 exit 返回。
stepper_key_host_shell = 宿主机上的 shell
    .hint = 宿主机 shell
    .more = 在运行等待时打开宿主机上的 shell。输入 exit 返回。
stepper_key_search = 搜索
    .hint = 搜索
    .more = 选中下一个在名称、标题、系统调用或证据里含有该文字的步骤。不输入文字则再找一次。
stepper_key_command = 输入命令
    .hint = 命令
    .more = 命令可以只写开头：next step finish continue until 步骤、break 位置、delete 位置、inspect 对象、why、hand、shell、shell host、back 步骤、first、present、mark、diff、search 文字、help 键、quit。
stepper_key_focus = 选择窗格（1–9、Tab）
    .hint = 窗格
    .more = 按 1 到 9 选择窗格；Tab 和 Shift-Tab 依次切换。屏幕较小时，下半部分显示最近选择的窗格。也可以用鼠标选择。
stepper_key_move = 选中步骤，或滚动
    .hint = 移动
    .more = 在计划窗格里，方向键选中一步，显示它的讲解、系统调用和证据；在其他窗格里则是滚动。按 Esc 取消选中。鼠标滚轮滚动指针所在的窗格。
stepper_key_zoom = 单个窗格占满屏幕
    .hint = 放大
    .more = 只显示选中的窗格；再按一次恢复。
stepper_key_redraw = 重画
    .hint = 重画
    .more = 屏幕被别的输出弄乱时，重新画一遍。
stepper_key_help = 帮助；之后按任意键
    .hint = 帮助
    .more = 列出所有按键。在那里按一个键，就会说明它的用途。
stepper_key_quit = 退出
    .hint = 退出
    .more = 让运行到此为止，并撤销已做的一切。在录制的记录里和运行结束之后，只是离开。Ctrl-C 直接退出，不再询问。
