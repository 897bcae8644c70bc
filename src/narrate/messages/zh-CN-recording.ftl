# 关于录制文件：比较、检查，以及由它生成的页面。

differ_nothing = 两份录制文件讲的是同一件事。
differ_alike = = { $count } 步相同
differ_no_end = 录制文件里没有写
differ_op = 计划

check_whole =
    { $file } 是完整的录制文件：{ $events } 个事件，{ $steps } 步，{ $calls } 次系统调用{ $failed ->
        [0] 。
       *[other] ；有 { $failed } 步失败，撤销了 { $undone } 步。
    }

sequence_kernel = Linux 内核
sequence_model = 模拟的内核
track_phases = 阶段
track_container = 容器
track_process = 进程 { $pid }

drawing_title = 此刻的容器
drawing_layers = 层
drawing_union_root = 联合挂载已是根 /
drawing_union_attached = 联合挂载已接上，还不是根
drawing_union_mounted = 联合挂载已建好，还没有接到任何地方
drawing_writable = 可写层
drawing_layer = 第 { $index } 层
drawing_empty = 空
drawing_removed = 已随容器删除
drawing_nothing = 无
drawing_more_layers = ……下面还有 { $count } 层
drawing_more_entries = ……还有 { $count } 项
drawing_more_processes = ……还有 { $count } 个
drawing_cgroup = 控制组
drawing_devices = 设备：只许用列出的
drawing_namespaces = 命名空间
drawing_own = 自有
drawing_shared = 同宿主机
drawing_ended = 已结束
drawing_hostname = 主机名：{ $name }
drawing_network = 网络
drawing_host = 宿主机
drawing_container = 容器
drawing_rules = nftables 规则 { $count } 条
drawing_processes = 进程
drawing_outside = 外面
drawing_inside = 里面
drawing_preparing = 准备中
drawing_running = 运行中
drawing_zombie = 僵尸

player_first = 最前
player_back = 后退
player_play = 播放
player_pause = 暂停
player_next = 前进
player_last = 最后
player_position = 位置
player_steps = 步骤
player_controls = 播放器
player_story = 这一步
player_picture = 这之后的容器
player_skip = 跳到这一步的内容
player_keys = 按键：← → 一次一步，Home 和 End 到两头，空格播放或暂停，L 切换语言。
player_language = English
player_begins = 第一步之前
player_life = 容器里
player_done = 这一步做完
