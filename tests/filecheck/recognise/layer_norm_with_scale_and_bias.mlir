// RUN: recognise
// CHECK: nn.layer_norm %x, %g, %h {axis = 1, epsilon = 5.0e-01
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4x8xf32>, %g: tensor<8xf32>, %h: tensor<8xf32>) -> tensor<4x8xf32> {
  %sum = nn.reduce %x {kind = "sum", dims = [1]} : (tensor<4x8xf32>) -> tensor<4xf32>
  %n = nn.constant {value = dense<0.125> : tensor<4xf32>} : tensor<4xf32>
  %mean = nn.multiply %sum, %n : tensor<4xf32>
  %m = nn.broadcast_in_dim %mean {dims = [0], shape = [4, 8]} : (tensor<4xf32>) -> tensor<4x8xf32>
  %c = nn.subtract %x, %m : tensor<4x8xf32>
  %two = nn.constant {value = dense<2.0> : tensor<f32>} : tensor<f32>
  %twos = nn.broadcast_in_dim %two {dims = [], shape = [4, 8]} : (tensor<f32>) -> tensor<4x8xf32>
  %sq = nn.power %c, %twos : tensor<4x8xf32>
  %var = nn.reduce %sq {kind = "mean", dims = [1]} : (tensor<4x8xf32>) -> tensor<4xf32>
  %eps = nn.constant {value = dense<0.5> : tensor<4xf32>} : tensor<4xf32>
  %ve = nn.add %var, %eps : tensor<4xf32>
  %sd = nn.sqrt %ve : tensor<4xf32>
  %s = nn.broadcast_in_dim %sd {dims = [0], shape = [4, 8]} : (tensor<4xf32>) -> tensor<4x8xf32>
  %y = nn.divide %c, %s : tensor<4x8xf32>
  %gs = nn.broadcast_in_dim %g {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %yg = nn.multiply %gs, %y : tensor<4x8xf32>
  %hs = nn.broadcast_in_dim %h {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %yh = nn.add %yg, %hs : tensor<4x8xf32>
  func.return %yh : tensor<4x8xf32>
}
