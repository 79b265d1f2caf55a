// RUN: recognise
// The variance is taken over dim 0, the mean over dim 1.
// CHECK-NOT: nn.layer_norm
// CHECK: nn.divide
func.func @main(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %sum = nn.reduce %x {kind = "sum", dims = [1]} : (tensor<8x8xf32>) -> tensor<8xf32>
  %n = nn.constant {value = dense<0.12500> : tensor<8xf32>} : tensor<8xf32>
  %mean = nn.multiply %sum, %n : tensor<8xf32>
  %m = nn.broadcast_in_dim %mean {dims = [0], shape = [8, 8]} : (tensor<8xf32>) -> tensor<8x8xf32>
  %c = nn.subtract %x, %m : tensor<8x8xf32>
  %two = nn.constant {value = dense<2.0> : tensor<f32>} : tensor<f32>
  %twos = nn.broadcast_in_dim %two {dims = [], shape = [8, 8]} : (tensor<f32>) -> tensor<8x8xf32>
  %sq = nn.power %c, %twos : tensor<8x8xf32>
  %var = nn.reduce %sq {kind = "mean", dims = [0]} : (tensor<8x8xf32>) -> tensor<8xf32>
  %eps = nn.constant {value = dense<0.5> : tensor<8xf32>} : tensor<8xf32>
  %ve = nn.add %var, %eps : tensor<8xf32>
  %sd = nn.sqrt %ve : tensor<8xf32>
  %s = nn.broadcast_in_dim %sd {dims = [0], shape = [8, 8]} : (tensor<8xf32>) -> tensor<8x8xf32>
  %y = nn.divide %c, %s : tensor<8x8xf32>
  func.return %y : tensor<8x8xf32>
}
