// RUN: channels-last
// CHECK: nn.transpose %x
// CHECK-NOT: nn.transpose
// CHECK: nn.reduce_window {{.*}} window = [1, 2, 2, 1], strides = [1, 2, 2, 1], padding = [0, 0, 1, 0, 1, 0, 0, 0]
// CHECK: nn.concatenate {{.*}} {dim = 3}
// CHECK: nn.reduce {{.*}} dims = [1, 2]
// CHECK-NEXT: func.return
func.func @main(%x: tensor<1x4x8x8xf32>) -> tensor<1x8xf32> {
  %p = nn.reduce_window %x {kind = "max", window = [1, 1, 2, 2], strides = [1, 1, 2, 2], padding = [0, 0, 0, 0, 1, 0, 1, 0], dilation = [1, 1, 1, 1]} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %n = nn.negate %p : tensor<1x4x4x4xf32>
  %c = nn.concatenate %p, %n {dim = 1} : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x8x4x4xf32>
  %m = nn.reduce %c {kind = "mean", dims = [2, 3]} : (tensor<1x8x4x4xf32>) -> tensor<1x8xf32>
  func.return %m : tensor<1x8xf32>
}
