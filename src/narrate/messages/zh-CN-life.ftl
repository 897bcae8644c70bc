life_started = 命令在运行，宿主机看到它是进程 { $pid }。
life_exited =
    { $signal ->
        [none] 进程 { $pid } 已结束{ $code ->
                [none] 。
               *[other] ，退出状态 { $code }。
            }
       *[other] 进程 { $pid } 被 { $signal } 终止。
    }
life_signalled = 已把 { $signal } 转给命令。


# 句子的零件：是谁，是哪一层。
life_process =
    { $inside ->
        [none] { $program }（进程 { $pid }）
       *[other] { $program }（进程 { $inside }，宿主机上是 { $pid }）
    }
life_someone = 某个进程
life_layer =
    { $made_by ->
        [none] { $digest }
       *[other] { $digest }（{ $made_by }）
    }

life_held =
    { $who }停在对 { $path } 的 { $call } 之前。它来自层 { $layer }{ $what ->
        [file] ，是 { $bytes } 字节的文件
        [directory] ，是个目录
       *[other] { "" }
    }。现在什么都还没有变。
life_copy_up =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { "" }
               *[other] 调用了 { $call }
            }：
    }{ $what ->
        [directory] 目录 { $path } 复制到了可写层，里面的内容没有跟着复制
        [file] { $path } 复制到了可写层：层里的文件 { $bytes } 字节，{ $stands ->
                [none] 副本已在
               *[other] 副本目前 { $stands } 字节
            }
       *[other] { $path } 复制到了可写层
    }。原来提供它的层 { $layer }分毫未动{ $hidden ->
        [0] 。
       *[other] ，更下面还有 { $hidden } 层也有它。
    }
life_whiteout =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { "" }
               *[other] 调用了 { $call }
            }：
    }{ $path } 已删除，可写层里由一个 whiteout 遮住它。层 { $layer }里它还在{ $hidden ->
        [0] 。
       *[other] ，更下面 { $hidden } 层里也还在。
    }
life_opaque =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { "" }
               *[other] 调用了 { $call }
            }：
    }目录 { $path } 是重新建的，带有 opaque 标记：层 { $layer }在这里的内容继续被遮住。
life_redirect =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { "" }
               *[other] 调用了 { $call }
            }：
    }目录 { $from } 改名为 { $path }，可写层里的 redirect 记着它的内容在层 { $layer }的什么位置。
life_created =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { "" }
               *[other] 调用了 { $call }
            }：
    }{ $what ->
        [directory] 可写层里新建了目录 { $path }
        [symlink] 可写层里新建了符号链接 { $path }
       *[other] 可写层里新建了 { $path }
    }{ $layer ->
        [none] ，各个只读层里都没有它。
       *[other] ，层 { $layer }在这里的内容从此被遮住。
    }
life_more =
    { $what ->
        [created] ……{ $program } 还新建了 { $count } 个
        [copy_up] ……{ $program } 还使 { $count } 个被复制到可写层
        [whiteout] ……{ $program } 还删除了 { $count } 个
        [forked] ……{ $program } 还产生了 { $count } 个进程
        [executed] ……{ $program } 还启动了 { $count } 个程序
        [ended] ……{ $program } 还结束了 { $count } 个
       *[other] ……{ $program } 还有 { $count } 个（{ $what }）
    }。

life_forked = { $parent }产生了新进程：{ $who }。
life_executed = { $who }现在运行 { $argv }。
life_ended =
    { $signal ->
        [none] { $who }已结束{ $code ->
                [none] 。
               *[other] ，退出状态 { $code }。
            }
       *[other] { $who }被 { $signal } 终止。
    }
life_adopted = { $who }成了孤儿：父进程 { $former }已结束。现在它的父进程是 { $parent }。
life_zombie = { $who }已结束，成了僵尸：它留在进程表里，直到 { $parent }来等待它。
life_signal_ignored =
    { $sender ->
        [none] { $who }收到 { $signal }
       *[other] { $sender }向 { $who }发送 { $signal }
    }，内核把它丢弃了：pid 命名空间的第一个进程只接收自己设了处理函数的信号，从外面来的还有 SIGKILL 和 SIGSTOP。
life_oom_killed =
    { $who ->
        [none] 内存不够，内核杀死了容器里的一个进程
       *[other] 内存不够，内核杀死了 { $who }
    }{ $limit ->
        [none] 。
       *[other] ：cgroup 的上限是 { $limit } 字节。
    }{ $source } 记录的次数现在是 { $kills }。
life_refused_filter = { $who }的 { $call } 被拒绝，返回 { $errno }：系统调用过滤器不许任何容器使用它。
life_refused_unless = { $who }的 { $call } 被拒绝，返回 { $errno }：系统调用过滤器只在有 { $unless } 时放行，这个容器没有。
life_refused_arguments = { $who }的 { $call } 被拒绝，返回 { $errno }：参数换成别的，系统调用过滤器才会放行。
life_refused_capability = { $who }的 { $call } 被拒绝，返回 { $errno }：它需要 { $capability }，这个进程没有。
life_lost = 有些事件丢失了：内核的队列（{ $queue }）已满。可写层里有什么，结束时仍会清点。
life_summary =
    磁盘上的可写层：新建 { $created } 个，复制 { $copied } 个文件（{ $bytes } 字节），复制目录 { $directories } 个，whiteout { $whiteouts } 个，opaque 目录 { $opaque } 个{ $redirects ->
        [0] 。
       *[other] ，redirect { $redirects } 个。
    }{ $unseen ->
        [0] 每一个都在发生时看到了{ $gone ->
                [0] 。
               *[other] ；另有 { $gone } 个看到过，后来又没有了。
            }
       *[other] 发生时没有看到的有 { $unseen } 个，例如 { $paths }。{ $gone ->
                [0] { "" }
               *[other] 看到过、后来又没有了的有 { $gone } 个。
            }
    }
life_summary_empty =
    可写层是空的{ $gone ->
        [0] 。
       *[other] ；有 { $gone } 个出现过，后来又没有了。
    }
